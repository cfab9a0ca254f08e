import { Stop } from '../../scripts/lib/command.mjs';

/** Aborted by the signals that ask us to end, so that namespaces, sysctls and children are put back. */
export function stopSignal() {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(name, () => controller.abort(new Stop(`ended by ${name}`)));
  }
  // Nobody is left who would read how it goes on.
  process.stderr.on('error', (error) => controller.abort(error));
  return controller.signal;
}
