import type { Source } from '../attribute/source.js';
import type { StartEvent } from '../events.js';
import type { Metrics } from '../metrics/metrics.js';
import type { NativeAddon } from '../native.js';
import type { Session } from '../session.js';
import type { Forwarder } from '../sink/forwarder.js';
import type { Archive } from './archive/archive.js';
import type { ArchiveWriter } from './archive/writer.js';
import type { Config } from './config/schema.js';
import type { Journal } from './history/journal.js';
import type { Access } from './http/access.js';
import type { IncidentBook } from './incident-book.js';
import type { Readers } from './readers/readers.js';

/** All that answers are made from. */
export interface ServerState {
  readonly addon: NativeAddon;
  readonly node: string;
  readonly config: Config;
  readonly session: Session;
  readonly sources: readonly Source[];
  readonly journal: Journal;
  readonly archive: Archive | undefined;
  readonly writer: ArchiveWriter | undefined;
  readonly readers: Readers;
  /** Who gets the events beside the history. */
  readonly forwarders: readonly Forwarder[];
  readonly incidents: IncidentBook;
  readonly access: Access;
  readonly metrics: Metrics;
  readonly requests: number;
  /** Milliseconds since 1970. */
  readonly startedMs: number;
  /** Undefined before it is attached. */
  readonly start: StartEvent | undefined;
  /** Why it does not serve: it has not begun, or is about to end. */
  readonly unready: string | undefined;
}
