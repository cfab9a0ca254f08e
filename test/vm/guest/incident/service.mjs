import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { quietly, type } from './command.mjs';
import { check, say, show } from './report.mjs';
import { waitFor } from './wait.mjs';

/**
 * rpftrace serve as a service of this machine's systemd, installed as docs/serve.md says: what the unit allows has to be enough to tell
 * whose packets are lost and who did it, and systemd has to see how it starts, is told, fails and ends. `folder` has the unit.
 */
export async function checkService({ folder, program, pod }) {
  say('rpftrace serve as a service of systemd');
  await install(folder, program);
  await type('systemctl daemon-reload && systemctl enable --now rpftrace');
  await waitFor(isReady, 'it does not come up');
  check('systemd-analyze verify', await quietly(`systemd-analyze verify --man=no ${UNIT} 2>&1`), '');
  const exposure = await quietly('systemd-analyze security --no-pager rpftrace | tail -1');
  check('systemd-analyze security', exposure, (text) => / (OK|MEDIUM) /.test(text));
  const { start } = JSON.parse(await ask('/v1/status'));
  check(
    'what the unit takes away',
    start.degraded.filter(({ missing }) => missing),
    [],
  );
  await checkIncident(pod);
  await checkReload();
  await checkCrash();
  await checkEnd();
  await checkWrongConfig();
}

async function install(folder, program) {
  await quietly(`ln -sf ${process.execPath} /usr/local/bin/node`);
  await quietly(`ln -sf ${program} /usr/local/bin/rpftrace`);
  await type(`install -m 644 ${folder}/rpftrace.service /etc/systemd/system/`);
  await type(`install -D -m 600 ${folder}/rpftrace.yaml ${CONFIG}`);
}

/** A write by a command of systemd, and what it costs the pod. */
async function checkIncident(pod) {
  await pod.talks();
  await type('systemd-run --quiet --wait --unit=nightly sysctl -qw net.ipv4.conf.all.rp_filter=1');
  await pod.isMute();
  const isWhole = ({ cause, pods }) => cause.change && pods?.length > 0;
  const incident = await waitFor(async () => (await incidents()).find(isWhole), 'no incident is told');
  show(`\n${incident.summary}\n`);
  check('the pod', incident.pods, [pod.name]);
  check('the unit that did it', incident.cause.change.writer?.systemd_unit, 'nightly.service');
  await quietly('sysctl -qw net.ipv4.conf.all.rp_filter=0');
  await pod.talks();
}

async function incidents() {
  return JSON.parse(await ask('/v1/incidents')).incidents;
}

async function checkReload() {
  writeFileSync(CONFIG, 'limits: {readers: 7}\nhistory: {directory: /var/lib/rpftrace}\n');
  await type('systemctl reload rpftrace');
  await waitFor(() => journalHas('', 'the configuration was read again'), 'the reload is not told');
  writeFileSync(CONFIG, 'limits: {reader: 7}\n');
  await type('systemctl reload rpftrace');
  await waitFor(() => journalHas('-p err', 'did you mean readers'), 'the broken configuration is not told');
  await waitFor(() => journalHas('', 'the configuration stays as it was'), 'that it stays is not told');
  check('it still answers', (await ask('/healthz')).trim(), 'ok');
  writeFileSync(CONFIG, 'history: {directory: /var/lib/rpftrace}\n');
}

async function checkCrash() {
  const before = await property('MainPID');
  await type('systemctl kill --signal=KILL rpftrace');
  const isBack = async () => (await property('MainPID')) !== before && (await isReady());
  await waitFor(isBack, 'it is not started again');
  check('started again by systemd', await property('NRestarts'), '1');
  const events = await ask('/v1/events?since=1h&follow=false');
  check('it tells what was before, from its history', events.includes('"nightly.service"'), true);
}

async function checkEnd() {
  await type('systemctl stop rpftrace');
  const found = await quietly('systemctl show -p Result,ExecMainStatus,ActiveState rpftrace | sort');
  check('the end', found, 'ActiveState=inactive\nExecMainStatus=0\nResult=success');
  check('the last words', await journalHas('-p info', 'ended by SIGTERM'), true);
}

async function checkWrongConfig() {
  writeFileSync(CONFIG, 'limits: {reader: 7}\n');
  await quietly('systemctl start rpftrace || true');
  await waitFor(async () => (await property('ActiveState')) === 'failed', 'it has not failed');
  check('exit status of a wrong configuration', await property('ExecMainStatus'), '2');
  check('not tried again', await property('NRestarts'), '0');
}

async function isReady() {
  return (await ask('/readyz')).trim() === 'ok';
}

async function journalHas(options, words) {
  return (await quietly(`journalctl --no-pager -u rpftrace ${options}`)).includes(words);
}

async function property(name) {
  return await quietly(`systemctl show -P ${name} rpftrace`);
}

/** '' where nobody answers. */
function ask(path) {
  return new Promise((resolve) => {
    const asked = request(
      { socketPath: '/run/rpftrace/rpftrace.sock', path, agent: false },
      async (response) => {
        let body = '';
        for await (const text of response.setEncoding('utf8')) body += text;
        resolve(body);
      },
    );
    asked.on('error', () => resolve(''));
    asked.end();
  });
}

const UNIT = '/etc/systemd/system/rpftrace.service';
const CONFIG = '/etc/rpftrace/rpftrace.yaml';
