import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { expect, onTestFinished, test } from 'vitest';
import { Agents } from '../../../bench/lib/agents.mjs';
import { attach } from '../../../src/cli/attach.js';
import { addAttachOptions } from '../../../src/cli/attach-options.js';
import { temporaryDirectory } from '../../fixtures/directory.js';
import { aDrop } from '../../fixtures/journal.js';

test('--count is kept with several servers, whatever is held to be put in order', async () => {
  const servers = await new Agents().listen();
  onTestFinished(() => servers.close());
  const urls = ['node-1', 'node-2'].map((node) => {
    const agent = servers.add(node);
    for (let event = 0; event < 10; event++) agent.tell({ ...aDrop(), node });
    return servers.urlOf(agent);
  });
  const out = join(temporaryDirectory(), 'events');
  const words = [...urls, '--no-follow', '--since', '1h', '--count', '3', '-o', 'ndjson', '--out', out];
  const command = addAttachOptions(new Command()).parse(words, { from: 'user' });
  expect(await attach(command.args, command.opts())).toBe(0);
  expect(readFileSync(out, 'utf8').trimEnd().split('\n')).toHaveLength(3);
});
