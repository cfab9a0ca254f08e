import { describe, expect, test } from 'vitest';
import { attributeDevice } from '../../../src/attribute/device.js';
import { LinkMap } from '../../../src/attribute/links.js';
import type { Device } from '../../../src/events.js';
import { FLAGS } from '../../../src/record/layout.gen.js';
import { type DropFields, type LinkFields, makeDrop, makeLink } from '../../fixtures/batch.js';
import { readRecord } from '../../fixtures/reading.js';

const OWN_NETNS = 4_026_531_840;
const POD_NETNS = 4_026_532_177;

describe('attributeDevice', () => {
  test('tells the device as it was at the drop, and its peer', () => {
    const flags = FLAGS.DEVICE | FLAGS.PEER;
    expect(attribute({ flags, peerIfindex: 2, peerNetns: POD_NETNS, peerDevice: 'eth0' })).toEqual({
      name: 'lxcabcd',
      ifindex: 12,
      role: 'cilium_lxc',
      kind: 'veth',
      netns: OWN_NETNS,
      peer_ifindex: 2,
      peer_netns: POD_NETNS,
      peer_name: 'eth0',
    });
  });

  test('hardware has no kind', () => {
    expect(attribute({ device: 'eth0', deviceKind: '' })).toEqual({
      name: 'eth0',
      ifindex: 12,
      role: 'physical',
      netns: OWN_NETNS,
    });
  });

  test('says why there is no name', () => {
    expect(attribute({ flags: 0 })).toEqual({ name_unknown: 'no_device', role: 'unknown', netns: OWN_NETNS });
    expect(attribute({ flags: FLAGS.DEVICE_STALE, netns: 0 })).toEqual({
      name_unknown: 'stale',
      role: 'unknown',
    });
  });

  test('adds the bridge that it belongs to', () => {
    const links = linksOf([
      { ifindex: 3, name: 'cni0', kind: 'bridge' },
      { ifindex: 12, name: 'veth1', masterIfindex: 3 },
    ]);
    expect(attribute({ device: 'veth1' }, links)).toMatchObject({ role: 'veth', master: 'cni0' });
  });

  test('adds the name that it was given since', () => {
    const links = linksOf([{ ifindex: 12, name: 'lxcnew' }]);
    expect(attribute({}, links)).toMatchObject({ name: 'lxcabcd', current_name: 'lxcnew' });
  });

  test('the devices of another network namespace are not confused with its own', () => {
    const links = linksOf([{ ifindex: 12, name: 'other' }]);
    expect(attribute({ netns: POD_NETNS }, links)).not.toHaveProperty('current_name');
  });

  test('a device that is gone is not looked up any more', () => {
    const links = linksOf([
      { ifindex: 12, name: 'lxcnew' },
      { ifindex: 12, name: 'lxcnew', gone: true },
    ]);
    expect(attribute({}, links)).not.toHaveProperty('current_name');
  });
});

describe('LinkMap', () => {
  test('says whether it learned something', () => {
    const links = new LinkMap();
    expect(learn(links, { ifindex: 1, name: 'a' })).toBe(true);
    expect(learn(links, { ifindex: 1, name: 'a' })).toBe(false);
    expect(learn(links, { ifindex: 1, name: 'b' })).toBe(true);
    expect(learn(links, { ifindex: 1, name: 'b', masterIfindex: 2 })).toBe(true);
    expect(learn(links, { ifindex: 1, name: 'b', gone: true })).toBe(true);
    expect(learn(links, { ifindex: 1, name: 'b', gone: true })).toBe(false);
  });

  test('all of them are forgotten when netlink had to drop messages', () => {
    const links = new LinkMap();
    learn(links, { ifindex: 1, name: 'a' });
    learn(links, { ifindex: 2, name: 'b' });
    expect(learn(links, { ifindex: 0, name: '', gone: true })).toBe(true);
    expect([links.get(1), links.get(2)]).toEqual([undefined, undefined]);
  });
});

function attribute(fields: DropFields, links = new LinkMap()): Device {
  const reader = readRecord(makeDrop({ flags: FLAGS.DEVICE, netns: OWN_NETNS, ...fields }));
  const device = attributeDevice(reader.drop, { ownNetns: OWN_NETNS, links });
  return JSON.parse(JSON.stringify(device));
}

function linksOf(fields: readonly LinkFields[]): LinkMap {
  const links = new LinkMap();
  for (const link of fields) learn(links, link);
  return links;
}

/** Returns whether it learned something. */
function learn(links: LinkMap, fields: LinkFields): boolean {
  const { epoch } = links;
  links.learn(readRecord(makeLink(fields)).link);
  return links.epoch !== epoch;
}
