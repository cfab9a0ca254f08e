import { describe, expect, test } from 'vitest';
import type { RpfMode } from '../../../src/events.js';
import { explainMode } from '../../../src/explain/mode.js';
import { FLAGS, KNOBS } from '../../../src/record/layout.gen.js';
import type { DropFields } from '../../fixtures/batch.js';
import { readDrop } from '../../fixtures/reading.js';

describe('explainMode', () => {
  // The kernel takes the greater of both as signed integers, and checks no range: KERNEL.md 1.3 V0.
  test.each([
    [0, 0, 0, 'both'],
    [1, 0, 1, 'all'],
    [0, 1, 1, 'device'],
    [1, 2, 2, 'device'],
    [2, 1, 2, 'all'],
    [1, 1, 1, 'both'],
    [-1, 0, 0, 'device'],
    [-1, -1, -1, 'both'],
    [3, 1, 3, 'all'],
  ])('all=%i device=%i makes %i, decided by %s', (all, device, effective, decidedBy) => {
    expect(explain({ rpFilterAll: all, rpFilterDevice: device })).toMatchObject({
      all,
      device,
      effective,
      decided_by: decidedBy,
    });
  });

  test('a device without an IPv4 address is unnumbered', () => {
    expect(explain({})).toMatchObject({ unnumbered: true });
    expect(explain({ flags: CONF | FLAGS.DEVICE_HAS_IPV4 })).toMatchObject({ unnumbered: false });
  });

  test.each([
    ['accept_local', KNOBS.ACCEPT_LOCAL_ALL],
    ['accept_local', KNOBS.ACCEPT_LOCAL_DEVICE],
    ['src_valid_mark', KNOBS.SRC_VALID_MARK_ALL],
    ['src_valid_mark', KNOBS.SRC_VALID_MARK_DEVICE],
    ['route_localnet', KNOBS.ROUTE_LOCALNET_ALL],
    ['route_localnet', KNOBS.ROUTE_LOCALNET_DEVICE],
    ['forwarding', KNOBS.FORWARDING_DEVICE],
  ])('%s is on with knob %i', (name, knob) => {
    const off = { accept_local: false, src_valid_mark: false, route_localnet: false, forwarding: false };
    expect(explain({ knobs: knob })).toMatchObject({ ...off, [name]: true });
  });

  test('forwarding of all does not count for the device', () => {
    expect(explain({ knobs: KNOBS.FORWARDING_ALL })).toMatchObject({ forwarding: false });
  });

  test('there is none without IPv4', () => {
    expect(explain({ flags: FLAGS.DEVICE })).toBeUndefined();
    expect(explain({ family: 6 })).toBeUndefined();
  });
});

const CONF = FLAGS.DEVICE | FLAGS.CONF | FLAGS.L3;

function explain(fields: DropFields): RpfMode | undefined {
  return explainMode(readDrop({ flags: CONF, ...fields }));
}
