import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must, read, Stop } from './command.mjs';

/**
 * apt for suites of Debian that this machine itself does not use, or for another architecture, with a state of its own below
 * `directory`. Which archive is asked comes from the machine's own sources. `types`: 'deb' for packages, 'deb-src' for sources.
 */
export class Suites {
  #options;
  #directory;

  constructor(directory, suites, arch = 'amd64', types = ['deb']) {
    this.#directory = directory;
    const folders = ['etc/preferences.d', 'etc/apt.conf.d', 'etc/trusted.gpg.d', 'lists/partial'];
    for (const name of [...folders, 'cache/archives/partial'])
      mkdirSync(join(directory, name), { recursive: true });
    writeFileSync(join(directory, 'status'), '');
    const lines = suites.flatMap((suite) => types.map((type) => sourceLine(suite, type)));
    writeFileSync(join(directory, 'etc', 'sources.list'), lines.join(''));
    this.#options = Object.entries({
      'APT::Architecture': arch,
      'APT::Architectures': arch,
      'Dir::Etc': join(directory, 'etc'),
      'Dir::Etc::sourcelist': 'sources.list',
      'Dir::Etc::sourceparts': '/dev/null',
      'Dir::State': directory,
      'Dir::State::lists': join(directory, 'lists'),
      'Dir::State::status': join(directory, 'status'),
      'Dir::Cache': join(directory, 'cache'),
      'Acquire::Languages': 'none',
      'APT::Update::Error-Mode': 'any', // else an archive that does not answer is a warning
      'APT::Sandbox::User': 'root',
    }).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  }

  update() {
    must('apt-get', [...this.#options, '-qq', 'update']);
  }

  /** What is said of the newest version of a package in these suites; '' where there is none. */
  describe(name) {
    return read('apt-cache', [...this.#options, 'show', '--no-all-versions', name]) ?? '';
  }

  /** The names of packages in these suites that begin with a prefix. */
  names(prefix) {
    return must('apt-cache', [...this.#options, 'pkgnames', prefix])
      .split('\n')
      .filter(Boolean);
  }

  /** Fetches a package and returns the path of its file. */
  download(name) {
    const before = new Set(readdirSync(this.#directory));
    must('apt-get', [...this.#options, '-qq', 'download', name], { cwd: this.#directory });
    const file = readdirSync(this.#directory).find((entry) => !before.has(entry) && entry.endsWith('.deb'));
    if (!file) throw new Stop(`apt-get download ${name}: no file came`);
    return join(this.#directory, file);
  }

  /** Fetches the source of a package and returns the path of what its authors published, without Debian's own changes. */
  downloadSource(name) {
    must('apt-get', [...this.#options, '-qq', '--download-only', 'source', name], { cwd: this.#directory });
    const file = readdirSync(this.#directory).find((entry) => /\.orig\.tar\.\w+$/.test(entry));
    if (!file) throw new Stop(`apt-get source ${name}: no file came`);
    return join(this.#directory, file);
  }
}

/** The archive that this machine's own sources name: for updates of security, or for all else. */
export function archive(isSecurity = false) {
  const format = '$(REPO_URI) $(ORIGIN) $(LABEL)';
  const targets = must('apt-get', ['indextargets', '--format', format, 'Created-By: Packages']).split('\n');
  const found = targets.find((line) => / Debian /.test(line) && /-Security$/i.test(line) === isSecurity);
  if (found) return found.split(' ')[0];
  throw new Stop('no archive of Debian in the sources of apt; on Debian: apt-get update', 3);
}

function sourceLine(suite, type) {
  const keys = '/usr/share/keyrings/debian-archive-keyring.gpg';
  return `${type} [signed-by=${keys}] ${archive(suite.endsWith('-security'))} ${suite} main\n`;
}
