import stringWidth from 'string-width';
import type {
  Device,
  DropEvent,
  IncidentEvent,
  LostEvent,
  Packet,
  RpfMode,
  SysctlChangeEvent,
  TraceEvent,
} from '../events.js';
import { changeText } from '../incident/summary.js';
import { printable } from '../printable.js';
import type { Clock } from '../record/clock.js';
import type { DropReader } from '../record/decode.js';
import { dropEvent } from './drop-event.js';
import type { Output } from './output.js';
import type { Flow, Sink } from './sink.js';

export interface TableOptions {
  readonly color: boolean;
  /** Columns and rows of the terminal now; undefined where it is none: then nothing is left out and nothing is cut. */
  readonly size: () => { columns: number; rows: number } | undefined;
}

/** Lines for people: aligned, as wide as the terminal, the header again on each screen. */
export class TableSink implements Sink {
  readonly #output: Output;
  readonly #clock: Clock;
  readonly #node: string;
  readonly #options: TableOptions;
  /** Widths grow with what comes, up to the limit of each column. */
  readonly #widths = COLUMNS.map((column) => Math.max(column.min, column.title.length));
  #shown = '';
  #rowsToHeader = 0;
  /** What the banner of each open incident said last. */
  readonly #bannerDrops = new Map<string, number>();

  constructor(output: Output, clock: Clock, node: string, options: TableOptions) {
    this.#output = output;
    this.#clock = clock;
    this.#node = node;
    this.#options = options;
  }

  get ready(): boolean {
    return this.#output.ready;
  }

  set onReady(callback: () => void) {
    this.#output.onReady = callback;
  }

  drop(drop: DropReader, flow: Flow): void {
    const event = dropEvent(drop, flow, this.#clock, this.#node);
    const cells = COLUMNS.map((column) => printable(column.text(event)));
    this.#grow(cells);
    const columns = this.#visible();
    this.#header(columns);
    const painted = columns.map((index) => this.#cell(index, cells[index] as string, event));
    this.#output.writeText(`${painted.join('  ').trimEnd()}\n`);
  }

  event(event: Exclude<TraceEvent, DropEvent>): void {
    if (event.kind === 'lost') this.#line(lostText(event), 'warning');
    else if (event.kind === 'sysctl_change') this.#change(event);
    else if (event.kind === 'incident') this.#banner(event);
  }

  flush(): void {
    this.#output.flush();
  }

  forgetFlows(): void {}

  forgetContexts(): void {}

  end(): Promise<void> {
    return this.#output.end();
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
    const told = this.#bannerDrops.get(event.id) ?? 0;
    if (event.state === 'update' && event.drops < told * BANNER_GROWTH) return;
    if (event.state === 'closed') this.#bannerDrops.delete(event.id);
    else this.#bannerDrops.set(event.id, event.drops);
    this.#line(`== ${event.id} ${event.state === 'closed' ? 'closed: ' : ''}${event.summary}`, 'banner');
  }

  #line(text: string, style: Style): void {
    this.#output.writeText(`${this.#paint(printable(text), style)}\n`);
  }

  #grow(cells: readonly string[]): void {
    for (const [index, cell] of cells.entries()) {
      const { max } = COLUMNS[index] as Column;
      const width = Math.min(measure(cell), max);
      if (width > (this.#widths[index] as number)) this.#widths[index] = width;
    }
  }

  /** Leaves out the least important columns until the rest fits. */
  #visible(): number[] {
    const columns = this.#options.size()?.columns ?? Number.POSITIVE_INFINITY;
    const shown = COLUMNS.map((_, index) => index);
    for (const least of BY_IMPORTANCE) {
      if (this.#totalWidth(shown) <= columns || shown.length === 1) break;
      shown.splice(shown.indexOf(least), 1);
    }
    return shown;
  }

  #totalWidth(shown: readonly number[]): number {
    return shown.reduce((sum, index) => sum + (this.#widths[index] as number) + GAP, -GAP);
  }

  #header(columns: readonly number[]): void {
    const layout = columns.map((index) => this.#widths[index]).join();
    this.#rowsToHeader--;
    if (layout === this.#shown && this.#rowsToHeader > 0) return;
    this.#shown = layout;
    this.#rowsToHeader = Math.max((this.#options.size()?.rows ?? Number.POSITIVE_INFINITY) - 2, 2);
    const titles = columns.map((index) => this.#align(index, (COLUMNS[index] as Column).title));
    this.#output.writeText(`${this.#paint(titles.join('  ').trimEnd(), 'title')}\n`);
  }

  #cell(index: number, text: string, event: DropEvent): string {
    const column = COLUMNS[index] as Column;
    return this.#paint(this.#align(index, text), column.style(event));
  }

  #align(index: number, text: string): string {
    const terminal = this.#options.size();
    const width = Math.min(this.#widths[index] as number, terminal?.columns ?? Number.POSITIVE_INFINITY);
    const cut = terminal ? truncate(text, width) : text;
    const space = ' '.repeat(Math.max(width - measure(cut), 0));
    return (COLUMNS[index] as Column).right ? space + cut : cut + space;
  }

  #paint(text: string, style: Style): string {
    const code = STYLES[style];
    return this.#options.color && code !== '' ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}

interface Column {
  readonly title: string;
  readonly text: (event: DropEvent) => string;
  readonly style: (event: DropEvent) => Style;
  readonly min: number;
  readonly max: number;
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
    importance: 6,
  },
  {
    title: 'REASON',
    text: (event) => event.reason ?? '-',
    style: (event) => (REFUSED_SOURCE.has(event.reason ?? '') ? 'refused' : 'reason'),
    min: 11,
    max: 32,
    importance: 7,
  },
  {
    title: 'DEVICE',
    text: (event) => deviceText(event.device),
    style: () => 'device',
    min: 16,
    max: 34,
    importance: 5,
  },
  {
    title: 'SOURCE -> DESTINATION',
    text: (event) => endpointsText(event.packet),
    style: () => 'plain',
    min: 36,
    max: 92,
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
    importance: 4,
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

/** The reasons of fib_validate_source() and its caller, net/ipv4/route.c. */
const REFUSED_SOURCE = new Set(['IP_RPFILTER', 'IP_LOCAL_SOURCE', 'IP_INVALID_SOURCE', 'IP_LOCALNET']);

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
  return `${endpoint(packet.src, packet.src_port)} -> ${endpoint(packet.dst, packet.dst_port)}`;
}

function endpoint(address: string, port: number | undefined): string {
  if (port === undefined) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function protocolText(packet: Packet | undefined): string {
  if (packet?.protocol === undefined) return '-';
  if (packet.icmp_type !== undefined) return `${packet.protocol} ${packet.icmp_type}/${packet.icmp_code}`;
  return packet.tcp_flags === undefined
    ? packet.protocol
    : `${packet.protocol} ${packet.tcp_flags}`.trimEnd();
}

function modeText(mode: RpfMode | undefined): string {
  if (mode === undefined) return '-';
  return `all=${mode.all} dev=${mode.device}${mode.unnumbered ? ' unnumbered' : ''}`;
}

function lostText({ where, count }: LostEvent): string {
  if (where === 'sysctl') return `-- ${count} writes to settings went unseen: there were too many at a time`;
  const cause = where === 'ring' ? 'the reader was too slow' : 'they happened inside of the tracer';
  return `-- ${count} drops lost: ${cause}`;
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

const GAP = 2;
const BANNER_GROWTH = 10;
