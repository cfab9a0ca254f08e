/** Who reads what is told beside the events may be gone: that is no reason to end. */
export function outliveStderr(): void {
  process.stderr.on('error', () => undefined);
}
