import { TracerError } from '../errors.js';
import { type Token, tokensOf } from './selector-tokens.js';

/** Whether an object with these labels is meant. */
export type LabelMatcher = (labels: Readonly<Record<string, string>>) => boolean;

/**
 * Reads a label selector as kubectl takes it after --selector: equality-based ("app=web,tier!=db") and set-based
 * ("env in (prod,test),!canary,weight>3") requirements, all of which must hold. An empty one means everything. The rules are
 * those of apimachinery's labels.Parse (staging/src/k8s.io/apimachinery/pkg/labels/selector.go, v1.32).
 *
 * @throws {TracerError} E_USAGE, with the place in the text that is wrong.
 */
export function parseSelector(text: string): LabelMatcher {
  const requirements = new SelectorParser(text).requirements();
  return (labels) => requirements.every((holds) => holds(labels));
}

/** One token ahead, left to right; each method takes what it is named after. */
class SelectorParser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokensOf(text);
  }

  requirements(): LabelMatcher[] {
    const found: LabelMatcher[] = [];
    if (this.#peek() === END) return found;
    for (;;) {
      found.push(this.#requirement());
      const { token, at } = this.#take();
      if (token === END) return found;
      if (token !== ',') this.#fail('a comma, or nothing more', token, at);
    }
  }

  #requirement(): LabelMatcher {
    if (this.#accept('!')) {
      const key = this.#key();
      return (labels) => !Object.hasOwn(labels, key);
    }
    const key = this.#key();
    const next = this.#peek();
    if (next === END || next === ',') return (labels) => Object.hasOwn(labels, key);
    return this.#comparison(key);
  }

  #comparison(key: string): LabelMatcher {
    const { token: operator, at } = this.#take();
    switch (operator) {
      case '=':
      case '==':
        return isAmong(key, [this.#value()]);
      case '!=':
        return isNotAmong(key, [this.#value()]);
      case 'in':
        return isAmong(key, this.#values());
      case 'notin':
        return isNotAmong(key, this.#values());
      case '>':
      case '<':
        return this.#order(key, operator);
      default:
        return this.#fail('one of = == != in notin < >', operator, at);
    }
  }

  #order(key: string, operator: '<' | '>'): LabelMatcher {
    const { at, token } = this.#ahead();
    const limit = integerOf(this.#value());
    if (limit === undefined) return this.#fail('an integer', token, at);
    return (labels) => {
      const value = Object.hasOwn(labels, key) ? integerOf(labels[key] as string) : undefined;
      if (value === undefined) return false;
      return operator === '<' ? value < limit : value > limit;
    };
  }

  /** "(a, b)". An empty place is the empty value, "()" too. */
  #values(): string[] {
    if (!this.#accept('(')) this.#fail('(');
    const values = [this.#value()];
    while (this.#accept(',')) values.push(this.#value());
    if (!this.#accept(')')) this.#fail('a comma or )');
    return values;
  }

  /** "app=" asks for the empty value. */
  #value(): string {
    const next = this.#peek();
    if (next === END || next === ',' || next === ')') return '';
    const { token, at } = this.#take();
    if (token.length > MAX_NAME || !VALUE.test(token)) this.#fail(`a value (${NAME_RULE})`, token, at);
    return token;
  }

  #key(): string {
    const { token, at } = this.#take();
    if (!isKey(token)) this.#fail(`a label's key (${NAME_RULE}, perhaps after a domain and a /)`, token, at);
    return token;
  }

  #accept(token: string): boolean {
    if (this.#peek() !== token) return false;
    this.#next++;
    return true;
  }

  #take(): Token {
    const token = this.#ahead();
    this.#next++;
    return token;
  }

  #peek(): string {
    return this.#ahead().token;
  }

  #ahead(): Token {
    return this.#tokens[this.#next] ?? { token: END, at: this.#text.length };
  }

  #fail(wanted: string, token = this.#peek(), at = this.#ahead().at): never {
    const found = token === END ? 'it ends' : `there is ${JSON.stringify(token.slice(0, 80))}`;
    throw new TracerError(
      'E_USAGE',
      `label selector ${JSON.stringify(this.#text.slice(0, 200))}, character ${at + 1}: expected ${wanted}, but ${found}`,
      { remedies: ["write it as for kubectl: 'app=web,tier in (db,cache),!canary'"] },
    );
  }
}

/** No token is empty. */
const END = '';

function isAmong(key: string, values: readonly string[]): LabelMatcher {
  const wanted = new Set(values);
  return (labels) => Object.hasOwn(labels, key) && wanted.has(labels[key] as string);
}

/** What does not have the label at all is also meant, as in Kubernetes. */
function isNotAmong(key: string, values: readonly string[]): LabelMatcher {
  const unwanted = new Set(values);
  return (labels) => !Object.hasOwn(labels, key) || !unwanted.has(labels[key] as string);
}

/** 64 bits and signed in Kubernetes. */
function integerOf(text: string): bigint | undefined {
  if (!/^-?\d{1,19}$/.test(text)) return undefined;
  const value = BigInt(text);
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

function isKey(text: string): boolean {
  const parts = text.split('/');
  const name = parts.pop() as string;
  const [domain] = parts;
  if (parts.length > 1 || name.length > MAX_NAME || !NAME.test(name)) return false;
  return domain === undefined || (domain.length <= MAX_DOMAIN && DOMAIN.test(domain));
}

/** Kubernetes: qualified name, label value, DNS-1123 subdomain. */
const MAX_NAME = 63;
const MAX_DOMAIN = 253;
const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const VALUE = NAME;
const DOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const NAME_RULE = 'at most 63 letters, digits, - _ . , a letter or digit first and last';
