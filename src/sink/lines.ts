/** Where sinks put their lines: a file, a pipe, or the memory of a server. Its memory is the sink's as well. */
export interface LineOutput {
  /** A line of at most 8 KiB is written here, from `position` on, and committed. Before that lies what a sink prepares. */
  readonly bytes: Buffer;
  readonly position: number;
  /** Whether one more line fits. When it is false, onReady is called once it is true again. */
  readonly ready: boolean;
  onReady: () => void;
  /** The line ends at `end`. */
  commit(end: number): void;
  /** Whole lines of any length, whether it is ready or not. */
  writeText(text: string): void;
  flush(): void;
  /** Resolves when everything is where it belongs. */
  end(): Promise<void>;
}
