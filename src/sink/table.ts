import stringWidth from 'string-width';
import type {
  Device,
  DropEvent,
  IncidentEvent,
  Packet,
  PodMember,
  Rpf,
  RpfMode,
  SysctlChangeEvent,
  TraceEvent,
} from '../events.js';
import { changeText } from '../incident/summary.js';
import { REFUSED_SOURCE } from '../names/reasons.js';
import { printable } from '../printable.js';
import { formatEndpoint } from '../record/address.js';
import type { EventSink } from './event-sink.js';
import { lostText } from './event-text.js';
import type { LineOutput } from './lines.js';
import { Nodes } from './nodes.js';

export interface TableOptions {
  readonly color: boolean;
  /**
   * Columns and rows of the terminal now, 0 where it does not tell; undefined where it is none: then nothing is left out and
   * nothing is cut.
   */
  readonly size: () => { columns: number; rows: number } | undefined;
}

/** Lines for people: aligned, as wide as the terminal, the header again on each screen. */
export class TableSink implements EventSink {
  readonly #output: LineOutput;
  readonly #options: TableOptions;
  /** Wide enough for this screen and the one before. */
  #widths = new Widths();
  /** For what came since the last screen began. */
  #newWidths = new Widths();
  #shown = '';
  #rowsToHeader = 0;
  readonly #nodes = new Nodes();
  /** What the banner of each open incident said last; ids are those of a node. */
  readonly #bannerDrops = new Map<string, number>();

  constructor(output: LineOutput, options: TableOptions) {
    this.#output = output;
    this.#options = options;
  }

  get ready(): boolean {
    return this.#output.ready;
  }

  set onReady(callback: () => void) {
    this.#output.onReady = callback;
  }

  event(event: TraceEvent): void {
    this.#nodes.see(event.node);
    if (event.kind === 'drop') this.#row(event);
    else if (event.kind === 'lost') this.#line(`-- ${lostText(event)}`, 'warning');
    else if (event.kind === 'sysctl_change') this.#change(event);
    else if (event.kind === 'incident') this.#banner(event);
  }

  flush(): void {
    this.#output.flush();
  }

  end(): Promise<void> {
    return this.#output.end();
  }

  #row(event: DropEvent): void {
    const cells = COLUMNS.map((column) => printable(column.text(event)));
    this.#grow(cells, event);
    const slots = this.#slots();
    this.#header(slots);
    const painted = slots.map((slot) => this.#cell(slot, cells[slot.index] as string, event));
    this.#output.writeText(`${painted.join('  ').trimEnd()}\n`);
  }

  /** Changes, and what was meant to be one; not who wrote what was there already. */
  #change(event: SysctlChangeEvent): void {
    if (event.outcome === 'changed')
      this.#line(`-- ${event.time.slice(11, 23)} ${changeText(event, '')}`, 'change');
    else if (event.outcome !== 'unchanged')
      this.#line(`-- ${event.time.slice(11, 23)} ${changeText(event, '')}: ${event.outcome}`, 'dim');
  }

  /** When it begins, when it has grown tenfold, and when it is over. */
  #banner(event: IncidentEvent): void {
    const key = `${event.node} ${event.id}`;
    const told = this.#bannerDrops.get(key) ?? 0;
    if (event.state === 'update' && event.drops < told * BANNER_GROWTH) return;
    if (event.state === 'closed') this.#bannerDrops.delete(key);
    else this.#bannerDrops.set(key, event.drops);
    const name = this.#nodes.areSeveral ? `${event.id}, node ${event.node}:` : event.id;
    this.#line(`== ${name} ${event.state === 'closed' ? 'closed: ' : ''}${event.summary}`, 'banner');
  }

  #line(text: string, style: Style): void {
    this.#output.writeText(`${this.#paint(printable(text), style)}\n`);
  }

  get #columns(): number {
    const size = this.#options.size();
    return size ? size.columns || USUAL.columns : Number.POSITIVE_INFINITY;
  }

  get #rows(): number {
    const size = this.#options.size();
    return size ? size.rows || USUAL.rows : Number.POSITIVE_INFINITY;
  }

  /** What was wide two screens ago takes no room any more. */
  #grow(cells: readonly string[], event: DropEvent): void {
    if (this.#rowsToHeader <= 1) {
      this.#widths = this.#newWidths;
      this.#newWidths = new Widths();
    }
    const short = COLUMNS.map(({ short }, index) =>
      short ? printable(short(event, Number.POSITIVE_INFINITY)) : (cells[index] as string),
    );
    this.#widths.grow(cells, short);
    this.#newWidths.grow(cells, short);
  }

  /**
   * Makes the row fit: first by leaving out what is only good to know, then by writing shorter, and only then by leaving out
   * more, the least important first.
   */
  #slots(): Slot[] {
    const columns = this.#columns;
    const { full, short } = this.#widths;
    const shown = COLUMNS.map((_, index) => index);
    for (const least of BY_IMPORTANCE) {
      const isGoodToKnow = (COLUMNS[least] as Column).importance < ESSENTIAL;
      if (totalWidth(shown, isGoodToKnow ? full : short) <= columns || shown.length === 1) break;
      shown.splice(shown.indexOf(least), 1);
    }
    const widths = [...full];
    for (const index of SHORTENED) {
      if (totalWidth(shown, widths) <= columns) break;
      widths[index] = short[index] as number;
    }
    const rest = Math.max(columns - totalWidth(shown, widths), 0);
    widths[ENDPOINTS] = Math.min((widths[ENDPOINTS] as number) + rest, full[ENDPOINTS] as number);
    return shown.map((index) => ({ index, width: Math.min(widths[index] as number, columns) }));
  }

  #header(slots: readonly Slot[]): void {
    const layout = slots.map(({ index, width }) => `${index}:${width}`).join();
    this.#rowsToHeader--;
    if (layout === this.#shown && this.#rowsToHeader > 0) return;
    this.#shown = layout;
    this.#rowsToHeader = Math.max(this.#rows - 2, 2);
    const titles = slots.map((slot) => this.#align(slot, (COLUMNS[slot.index] as Column).title));
    this.#output.writeText(`${this.#paint(titles.join('  ').trimEnd(), 'title')}\n`);
  }

  #cell(slot: Slot, text: string, event: DropEvent): string {
    const { short, style } = COLUMNS[slot.index] as Column;
    const isTooLong = this.#columns < Number.POSITIVE_INFINITY && measure(text) > slot.width;
    const fitting = isTooLong && short ? printable(short(event, slot.width)) : text;
    return this.#paint(this.#align(slot, fitting), style(event));
  }

  #align({ index, width }: Slot, text: string): string {
    const cut = this.#columns < Number.POSITIVE_INFINITY ? truncate(text, width) : text;
    const space = ' '.repeat(Math.max(width - measure(cut), 0));
    return (COLUMNS[index] as Column).right ? space + cut : cut + space;
  }

  #paint(text: string, style: Style): string {
    const code = STYLES[style];
    return this.#options.color && code !== '' ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}

/** A column on the terminal. */
interface Slot {
  readonly index: number;
  readonly width: number;
}

/** How wide the columns are to be for the rows seen, written in full and in short. */
class Widths {
  readonly full = COLUMNS.map((column) => Math.max(column.min, column.title.length));
  readonly short = COLUMNS.map((column, index) =>
    column.short ? column.title.length : (this.full[index] as number),
  );

  grow(full: readonly string[], short: readonly string[]): void {
    for (const [index, { max, shortMax = max }] of COLUMNS.entries()) {
      widen(this.full, index, Math.min(measure(full[index] as string), max));
      widen(this.short, index, Math.min(measure(short[index] as string), shortMax));
    }
  }
}

function totalWidth(shown: readonly number[], widths: readonly number[]): number {
  return shown.reduce((sum, index) => sum + (widths[index] as number) + GAP, -GAP);
}

function widen(widths: number[], index: number, width: number): void {
  if (width > (widths[index] as number)) widths[index] = width;
}

interface Column {
  readonly title: string;
  readonly text: (event: DropEvent) => string;
  readonly style: (event: DropEvent) => Style;
  readonly min: number;
  readonly max: number;
  /** How it is written where `width` is too narrow for the text. */
  readonly short?: (event: DropEvent, width: number) => string;
  readonly shortMax?: number;
  readonly right?: boolean;
  /** The lowest is left out first. */
  readonly importance: number;
}

const STYLES = {
  plain: '',
  title: '1',
  dim: '2',
  reason: '33',
  refused: '1;31',
  device: '36',
  warning: '1;33',
  change: '35',
  banner: '1;7;31',
};
type Style = keyof typeof STYLES;

const COLUMNS: readonly Column[] = [
  {
    title: 'TIME',
    text: (event) => event.time.slice(11, 23),
    style: () => 'dim',
    min: 12,
    max: 12,
    importance: 3,
  },
  {
    title: 'COUNT',
    text: (event) => String(event.count),
    style: () => 'plain',
    min: 5,
    max: 12,
    right: true,
    importance: 4,
  },
  {
    title: 'REASON',
    text: (event) => event.reason ?? '-',
    style: (event) => (REFUSED_SOURCE.includes(event.reason ?? '') ? 'refused' : 'reason'),
    min: 11,
    max: 32,
    importance: 7,
  },
  {
    title: 'VERDICT',
    text: (event) => verdictText(event.rpf),
    style: (event) => (verdictText(event.rpf) === '-' ? 'plain' : 'refused'),
    min: 16,
    max: 22,
    importance: 3.5,
  },
  {
    title: 'DEVICE',
    text: (event) => deviceText(event.device),
    style: () => 'device',
    min: 16,
    max: 34,
    short: (event) => event.device.name ?? '-',
    shortMax: 15,
    importance: 6,
  },
  {
    title: 'SOURCE -> DESTINATION',
    text: endsText,
    style: () => 'plain',
    min: 36,
    max: 120,
    short: shortEnds,
    shortMax: 24,
    importance: 8,
  },
  {
    title: 'PROTO',
    text: (event) => protocolText(event.packet),
    style: () => 'plain',
    min: 5,
    max: 12,
    importance: 2,
  },
  {
    title: 'RP_FILTER',
    text: (event) => modeText(event.rpf?.mode),
    style: () => 'plain',
    min: 22,
    max: 40,
    short: (event) => shortMode(event.rpf?.mode),
    shortMax: 16,
    importance: 5,
  },
  {
    title: 'LOCATION',
    text: (event) => event.location ?? '-',
    style: () => 'dim',
    min: 24,
    max: 48,
    importance: 1,
  },
];

const BY_IMPORTANCE = COLUMNS.map((_, index) => index).sort(
  (a, b) => (COLUMNS[a] as Column).importance - (COLUMNS[b] as Column).importance,
);
/** What is less important goes before anything is written shorter. */
const ESSENTIAL = 4;
const ENDPOINTS = columnOf('SOURCE -> DESTINATION');
/** What loses least by it comes first. */
const SHORTENED = [columnOf('RP_FILTER'), ENDPOINTS, columnOf('DEVICE')];

function columnOf(title: string): number {
  return COLUMNS.findIndex((column) => column.title === title);
}

/** "lxcabcd (cilium_lxc)"; a role that the name says already is left out. */
function deviceText(device: Device): string {
  if (device.name === undefined) return '-';
  return device.role === device.name || device.role === 'unknown'
    ? device.name
    : `${device.name} (${device.role})`;
}

function endpointsText(packet: Packet | undefined): string {
  if (packet === undefined) return '(many flows)';
  if (packet.src === undefined || packet.dst === undefined) {
    return [packet.ethertype, packet.headers_unknown && `headers ${packet.headers_unknown}`]
      .filter(Boolean)
      .join(', ');
  }
  return `${formatEndpoint(packet.src, packet.src_port)} -> ${formatEndpoint(packet.dst, packet.dst_port)}`;
}

/** "qfusion-admin/mssql-0 (lxcabcd, via cilium_host) -> 10.96.0.1:443 (default/kubernetes)": a pod instead of its address. */
function endsText(event: DropEvent): string {
  const { pod, peer, packet } = event;
  if (pod === undefined || packet?.src === undefined || packet.dst === undefined)
    return endpointsText(packet);
  const own = `${podName(pod)} (${[event.device.name, via(event)].filter(Boolean).join(', ')})${doubt(pod)}`;
  const known = peer?.name === undefined ? '' : ` (${pathOf(peer)})`;
  return pod.direction === 'to_pod'
    ? `${formatEndpoint(packet.src, packet.src_port)}${known} -> ${own}`
    : `${own} -> ${formatEndpoint(packet.dst, packet.dst_port)}${known}`;
}

function shortEnds(event: DropEvent, width: number): string {
  const { pod, packet } = event;
  if (pod === undefined || packet?.src === undefined || packet.dst === undefined)
    return shortEndpoints(packet, width);
  const isToPod = pod.direction === 'to_pod';
  const other = isToPod ? packet.src : packet.dst;
  const whole = podName(pod);
  // The namespace goes before anything of the name does.
  const own = whole.length + ' -> '.length + other.length <= width ? whole : (pod.name ?? whole);
  return isToPod ? shortPair(other, own, width) : shortPair(own, other, width);
}

/** The device that the way back to the pod goes by, where that is not the one that the packet was on. */
function via({ device, rpf, cilium }: DropEvent): string | undefined {
  const other = rpf?.reverse_route?.device ?? cilium?.host_device?.name;
  return other === undefined || other === device.name ? undefined : `via ${other}`;
}

function doubt({ conflict }: PodMember): string {
  if (conflict === undefined) return '';
  return conflict.kind === 'device' ? ' (forged source?)' : ` (source of ${podName(conflict)}?)`;
}

function podName(pod: Pick<PodMember, 'namespace' | 'name' | 'uid'>): string {
  return pod.name === undefined ? `pod ${pod.uid ?? '?'}` : pathOf(pod);
}

function pathOf({ namespace, name }: { namespace?: string | undefined; name?: string | undefined }): string {
  return namespace === undefined ? (name ?? '?') : `${namespace}/${name ?? '?'}`;
}

/** "1/0 unnum": all, device. */
function shortMode(mode: RpfMode | undefined): string {
  if (mode === undefined) return '-';
  return `${mode.all}/${mode.device}${mode.unnumbered ? ' unnum' : ''}`;
}

/** Without ports; of long addresses both ends. */
function shortEndpoints(packet: Packet | undefined, width: number): string {
  if (packet?.src === undefined || packet.dst === undefined) return endpointsText(packet);
  return shortPair(packet.src, packet.dst, width);
}

function shortPair(src: string, dst: string, width: number): string {
  const room = width - ' -> '.length;
  const source = cutMiddle(src, Math.max(room - dst.length, Math.floor(room / 2)));
  return `${source} -> ${cutMiddle(dst, room - source.length)}`;
}

function protocolText(packet: Packet | undefined): string {
  if (packet?.protocol === undefined) return '-';
  if (packet.icmp_type !== undefined) return `${packet.protocol} ${packet.icmp_type}/${packet.icmp_code}`;
  return packet.tcp_flags === undefined
    ? packet.protocol
    : `${packet.protocol} ${packet.tcp_flags}`.trimEnd();
}

/** not_rpf says nothing that REASON does not. */
function verdictText(rpf: Rpf | undefined): string {
  if (rpf === undefined || rpf.verdict === 'not_rpf') return '-';
  const doubt = rpf.confidence === undefined || rpf.confidence === 'certain' ? '' : '?';
  return `${rpf.verdict ?? 'unknown'}${doubt}`;
}

function modeText(mode: RpfMode | undefined): string {
  if (mode === undefined) return '-';
  return `all=${mode.all} dev=${mode.device}${mode.unnumbered ? ' unnumbered' : ''}`;
}

function measure(text: string): number {
  return /^[\x20-\x7e]*$/.test(text) ? text.length : stringWidth(text);
}

/** Cuts to `width` columns; an ellipsis says so. */
function truncate(text: string, width: number): string {
  if (measure(text) <= width) return text;
  let cut = '';
  for (const character of text) {
    if (measure(cut + character) > width - 1) break;
    cut += character;
  }
  return `${cut}…`;
}

function cutMiddle(text: string, width: number): string {
  if (text.length <= width) return text;
  const tail = Math.max(Math.floor((width - 1) / 2), 1);
  return `${text.slice(0, Math.max(width - 1 - tail, 1))}…${text.slice(-tail)}`;
}

const BANNER_GROWTH = 10;
/** Of a terminal that does not tell its size. */
const USUAL = { columns: 80, rows: 24 };
const GAP = 2;
