import { type ErrorCode, TracerError } from '../errors.js';
import { printable } from '../printable.js';

/** What is wrong with a place. */
export class PlaceError extends TracerError {
  /** Without the name of the place, for where that stands already. Safe for a terminal. */
  readonly reason: string;

  /**
   * The message is `start`, the name of the place, `link` and `reason`: as "cannot connect to ", "unix:/x", ": ", "permission denied".
   */
  constructor(
    code: ErrorCode,
    place: string,
    reason: string,
    { start = '', link = ' ', ...options }: Wording = {},
  ) {
    super(code, `${start}${printable(place)}${link}${reason}`, options);
    this.reason = reason;
  }
}

interface Wording {
  readonly start?: string;
  readonly link?: string;
  readonly remedies?: readonly string[];
  readonly cause?: unknown;
}
