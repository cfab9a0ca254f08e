/**
 * Replays the incident on this machine, which boots systemd and is thrown away afterwards:  main.mjs [WRITER...]
 *
 * tuned sets rp_filter back to 1 behind Cilium's back, then other writers do; rpftrace, as it is installed from its package, must
 * say who it was. Prints what happens and what was found; the last line is "N passed, N failed".
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { Lab } from '../../../../node_modules/rpftrace/dist/lab/lab.js';
import { ADDRESS } from '../../../../node_modules/rpftrace/dist/lab/topology.js';
import { compilers, describeMachine, uptime } from './machine.mjs';
import { Pod } from './pod.mjs';
import { check, fail, finish, say, show } from './report.mjs';
import { restore, runRow } from './row.mjs';
import { checkService } from './service.mjs';
import { Tracer } from './tracer.mjs';
import { WRITERS } from './writers.mjs';

/** The word for the last part, which is no writer. */
const SERVICE = 'service';
const PACKAGE = '/opt/rpftrace/package/node_modules/rpftrace';
const POD = {
  id: 1234,
  namespace: 'qfusion-admin',
  name: 'mssql-0',
  address: ADDRESS.pod,
  device: 'lxcabcd',
  port: 1433,
};

const words = process.argv.slice(2);
const isService = words.length === 0 || words.includes(SERVICE);
const wanted = words.filter((word) => word !== SERVICE);
const rows = words.length === 0 ? WRITERS : wanted.map((word) => WRITERS.find(({ name }) => name === word));
if (rows.includes(undefined)) {
  const names = [...WRITERS.map(({ name }) => name), SERVICE];
  throw new Error(`writers are: ${names.join(', ')}`);
}
const { version } = JSON.parse(readFileSync(`${PACKAGE}/package.json`, 'utf8'));
show(`${await describeMachine()}; booted in ${uptime()} s`);
show(`rpftrace ${version}, installed from its package`);
check('compilers on this machine', await compilers(), '');

say(
  `all.rp_filter was 1 at boot, Cilium has set it to 0, ${POD.namespace}/${POD.name} talks to ${ADDRESS.world}`,
);
const lab = await new Lab('incident', { node: 'own' }).up();
const pod = new Pod(lab, { netns: lab.netns('pod'), ...POD });
pod.start();
await pod.talks();
show('$ rpftrace trace');
const tracer = await Tracer.start(`${PACKAGE}/../.bin/rpftrace`, []);
for (const row of rows) {
  try {
    await runRow(row, { lab, tracer, pod });
  } catch (error) {
    fail(error);
    await restore();
  }
}
say('The end of the trace');
const { conservation } = await tracer.stop();
if (existsSync('/share'))
  writeFileSync('/share/events.ndjson', tracer.events.map((event) => `${JSON.stringify(event)}\n`).join(''));
check('every drop is accounted for', conservation.holds, true);
if (isService) {
  const folder = `${PACKAGE}/deploy/systemd`;
  await checkService({ folder, program: `${PACKAGE}/../.bin/rpftrace`, pod }).catch(fail);
}
pod.stop();
finish();
if (process.exitCode !== 0) process.stderr.write(tracer.words);
