import { expect, test } from 'vitest';
import { Delivery } from '../../../src/otlp/delivery.js';

test('the answer to an export that took too long is not that to the next', () => {
  const delivery = new Delivery(() => undefined);
  delivery.begin();
  delivery.begin();
  delivery.settle({ code: 1, error: new Error('timeout') });
  expect(delivery.isWaiting).toBe(true);
  delivery.settle({ code: 0 });
  expect(delivery).toMatchObject({ isWaiting: false, failure: undefined });
});
