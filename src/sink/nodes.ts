/** Whether what is told comes from several nodes: only then their names have to be told with it. */
export class Nodes {
  #first: string | undefined;
  #areSeveral = false;

  get areSeveral(): boolean {
    return this.#areSeveral;
  }

  see(node: string): void {
    this.#first ??= node;
    if (node !== this.#first) this.#areSeveral = true;
  }
}
