import { expect, it } from 'vitest';
import { hashOfName, hashOfPod } from '../../../../src/attribute/pods/hashed-names.js';

// printf 'qfusion-admin.mssql-0' | sha1sum
const HASH = '9dba0860938';
const SECOND = 'b43c0c5d23c';

it.each([`cali${HASH}`, `eni${HASH}`, `vlan${HASH}`, `azv${HASH}`])(
  '%s is the device of its pod',
  (device) => {
    expect(hashOfPod('qfusion-admin', 'mssql-0')).toContain(hashOfName(device));
    expect(hashOfPod('qfusion-admin', 'mssql-1')).not.toContain(hashOfName(device));
  },
);

it('knows the second interface of a pod on AWS', () => {
  expect(hashOfPod('qfusion-admin', 'mssql-0')).toContain(hashOfName(`eni${SECOND}`));
});

it.each(['cali', 'caliuplink', `veth${HASH}`, `eni${HASH}0`, 'azv1234567', `xcali${HASH}`])(
  '%s is made otherwise',
  (device) => expect(hashOfName(device)).toBeUndefined(),
);
