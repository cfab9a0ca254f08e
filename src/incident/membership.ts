import type { Attribution } from '../attribute/pods/attribution.js';
import type { Device, DropEvent, Rpf, RpfMode } from '../events.js';
import type { Ailment } from '../explain/fix.js';
import type { DropReader } from '../record/decode.js';
import type { Correlation } from './correlation.js';
import type { Incident } from './incident.js';

/** What of a flow decides which incident its drops belong to, and the answer. */
export interface Member {
  readonly context: {
    readonly aggregate: DropEvent['aggregate'];
    readonly device: Device;
    readonly reason: string | undefined;
    readonly mode: RpfMode | undefined;
  };
  readonly rpf: Rpf | undefined;
  readonly ailment: Ailment | undefined;
  readonly attribution: Attribution;
  incident: Incident | undefined;
  /** What the correlation's was when the incident was asked for. */
  epoch: number;
}

/** Finds out which incident the drops of a flow belong to, if any. */
export function joinIncident(correlation: Correlation, flow: Member, drop: DropReader): void {
  const { device, reason, mode } = flow.context;
  if (device.name === undefined || reason === undefined || drop.family !== 4) {
    flow.epoch = correlation.epoch;
    return;
  }
  const { ailment, rpf } = flow;
  const refusal = { netns: drop.netns, device: device.name, reason, mode, verdict: rpf?.verdict, ailment };
  flow.incident = correlation.join(refusal, wholeNs(drop.firstLow, drop.firstHigh), drop.netnsCookie);
  flow.epoch = correlation.epoch;
  const source = () => (flow.context.aggregate === 'device' ? undefined : drop.src);
  const dropNs = wholeNs(drop.timeLow, drop.timeHigh);
  flow.incident?.enter(refusal, { source, ailment, dropNs, pod: flow.attribution.pod });
}

function wholeNs(low: number, high: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}
