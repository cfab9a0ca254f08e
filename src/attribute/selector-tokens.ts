/** A word or a sign of a label selector; white space lies between them. */
export interface Token {
  readonly token: string;
  /** Index of its first character. */
  readonly at: number;
}

/** Cuts a label selector into words and the signs = == != ! < > ( ) and comma. */
export function tokensOf(text: string): Token[] {
  return [...text.matchAll(TOKEN)].map((match) => ({ token: match[0], at: match.index }));
}

const TOKEN = /==|!=|[=!<>(),]|[^=!<>(), \t\r\n]+/g;
