import type { Delivery, Result } from './delivery.js';

interface Exporter<Items> {
  export(items: Items, onResult: (result: Result) => void): void;
}

/** The same exporter, of which `delivery` hears what has become of each export. */
export function watched<Items, Watched extends Exporter<Items>>(
  exporter: Watched & Exporter<Items>,
  delivery: Delivery,
  countOf: (items: Items) => number,
): Watched {
  const send = exporter.export.bind(exporter);
  exporter.export = (items, onResult) => {
    delivery.begin();
    send(items, (result) => {
      delivery.settle(result, countOf(items));
      onResult(result);
    });
  };
  return exporter;
}
