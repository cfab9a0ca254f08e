/**
 * Makes foreign text safe for a terminal: control characters, escape sequences and characters that turn the direction of
 * the line become visible escapes. Everything else stays.
 */
export function printable(text: string): string {
  return text.replace(UNSAFE, toEscape);
}

/** C0, DEL, C1, line separators, bidirectional controls, zero-width and other invisible characters, lone surrogates. */
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

function toEscape(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`;
}
