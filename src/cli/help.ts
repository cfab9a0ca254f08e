import type { Command } from 'commander';
import { TracerError } from '../errors.js';
import { printable } from '../printable.js';
import { didYouMean } from '../suggest.js';

/** Adds `help [command...]`. Unlike commander's own it takes no word for a command that is none. */
export function addHelpCommand(parent: Command): void {
  parent
    .helpCommand(false)
    .command('help')
    .description('help for a command')
    .argument('[command...]')
    .action((words: string[]) => words.reduce(subcommand, parent).help());
}

/** Throws E_USAGE. */
function subcommand(command: Command, word: string): Command {
  const found = command.commands.find((one) => one.name() === word);
  if (found) return found;
  const hint = didYouMean(
    word,
    command.commands.map((one) => one.name()),
  );
  throw new TracerError('E_USAGE', `${command.name()} has no command ${printable(word)}${hint}`);
}
