import { type Delivery, isTaken, type Result } from './delivery.js';

interface Exporter<Items> {
  export(items: Items, onResult: (result: Result) => void): void;
}

/** The same exporter, of which `delivery` hears what has become of each export, and before it `onResult`, of what. */
export function watched<Items, Watched extends Exporter<Items>>(
  exporter: Watched & Exporter<Items>,
  delivery: Delivery,
  onResult?: (items: Items, isTaken: boolean) => void,
): Watched {
  const send = exporter.export.bind(exporter);
  exporter.export = (items, done) => {
    delivery.begin();
    send(items, (result) => {
      onResult?.(items, isTaken(result));
      delivery.settle(result);
      done(result);
    });
  };
  return exporter;
}
