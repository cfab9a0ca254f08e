import { expect, it } from 'vitest';
import { TracerError } from '../../src/errors.js';
import type { StartEvent } from '../../src/events.js';
import { openTracer } from '../../src/tracer.js';
import { addon } from './support/addon.js';

/** Opens a trace and ends it at once; its start event, or the error that says why there is none. */
async function startWith(...backend: string[]): Promise<StartEvent | TracerError> {
  try {
    await using tracer = await openTracer({ backend });
    for await (const event of tracer) if (event.kind === 'start') return event;
  } catch (error) {
    if (error instanceof TracerError) return error;
    throw error;
  }
  throw new Error('no start event');
}

it.each([
  ['fentry', ['fentry/ip_handle_martian_source', 'fexit/ip_route_input_noref']],
  ['fexit', ['fentry/ip_handle_martian_source', 'fexit/fib_validate_source']],
  ['kprobe', ['kprobe/ip_handle_martian_source', 'kretprobe/fib_validate_source']],
])(
  '--backend %s is there whole, or the hook that this kernel does not take is named',
  async (name, hooks) => {
    const started = await startWith(name);
    const missing = addon.trials().find((trial) => hooks.includes(trial.name) && trial.errno !== 0);
    if (started instanceof TracerError) {
      expect(started.code).toBe('E_NO_BACKEND');
      expect(started.message).toContain(missing?.name);
    } else {
      expect(missing).toBe(undefined);
      expect(started.hooks.map((hook) => hook.name)).toEqual(expect.arrayContaining(hooks));
    }
  },
);

it('the older tracepoint and objects are taken, and what they cannot give is told', async () => {
  const old = await startWith('tracepoint', 'kfree_skb-2', 'legacy');
  expect(old).toHaveProperty('hooks.0', { name: 'tp_btf/kfree_skb', arguments: 2, reads: 'probe_read' });
  expect((old as StartEvent).degraded.map(({ feature }) => feature)).toEqual(
    expect.arrayContaining(['reason', 'arp_refused', 'reconciled', 'typed_reads']),
  );
});
