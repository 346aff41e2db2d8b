/**
 * `tollcall backup` and `tollcall restore`: the store and the keys of a host.
 * @module
 */
import type { Command } from 'commander';
import { formatMsat } from '../base/money/index.ts';
import { makeBackup, restoreBackup, type CheckedBackup } from './archive.ts';
import { shellPath, shownPath } from './places.ts';
import { printJson } from './report.ts';
import { sheetToJson } from './sheet.ts';
import { openTerminal } from './terminal.ts';

interface JsonOption {
  readonly json?: boolean;
}

/** Adds `tollcall backup`. */
export function addBackup(program: Command): void {
  program
    .command('backup')
    .summary('copy the books and keys of a host')
    .description(
      'Copies the books and the keys of a host into a new directory, while it runs or not, and ' +
        'audits the copy. Keep it as secret as the host: it holds private keys.',
    )
    .argument('<dir>', 'the directory of the host, such as ~/.tollcall/dev/host')
    .argument('<backup>', 'the directory to make')
    .option('--json', 'print one JSON object, and nothing else')
    .addHelpText(
      'after',
      '\nExample:\n  tollcall backup ~/.tollcall/dev/host ./monday\n\n' +
        'What was charged or bought after a backup is not in it: see docs/operate.md.',
    )
    .action(async (dir: string, target: string, { json = false }: JsonOption) => {
      const terminal = openTerminal(process.stdout, json);
      const made = await terminal.step(
        'backup',
        () => makeBackup(dir, target),
        ({ running }) => `${shownPath(target)}, of a host that ${running ? 'runs' : 'is stopped'}`,
      );
      if (json) return printJson({ backup: target, ...checkedToJson(made) });
      terminal.line(`  ${terminal.good('✔')} audit     ${contents(made)}`);
      terminal.line(`    put back with: tollcall restore ${shellPath(target)} NEW_DIRECTORY`);
    });
}

/** Adds `tollcall restore`. */
export function addRestore(program: Command): void {
  program
    .command('restore')
    .summary('put a backup back')
    .description(
      'Puts a backup back as the new directory of a host, after an audit. Overwrites nothing.',
    )
    .argument('<backup>', 'what "tollcall backup" made')
    .argument('<dir>', 'the directory of the host to make')
    .option('--json', 'print one JSON object, and nothing else')
    .addHelpText('after', '\nExample:\n  tollcall restore ./monday ./host')
    .action(async (from: string, dir: string, { json = false }: JsonOption) => {
      const terminal = openTerminal(process.stdout, json);
      const restored = await terminal.step(
        'restore',
        () => restoreBackup(from, dir),
        ({ manifest }) => `${shownPath(dir)}, as of ${manifest.made_at}`,
      );
      if (json) return printJson({ dir, ...checkedToJson(restored) });
      terminal.line(`  ${terminal.good('✔')} audit     ${contents(restored)}`);
    });
}

function contents({ sheet, manifest }: CheckedBackup): string {
  const sums = `${formatMsat(sheet.receivedMsat)} received, ${formatMsat(sheet.servedMsat)} served`;
  return `every rule holds: ${sums}; host ${manifest.host_key_fingerprint.slice(0, 16)}…`;
}

function checkedToJson({ manifest, sheet, running }: CheckedBackup): Record<string, unknown> {
  return { ...manifest, ...(running === undefined ? {} : { running }), ...sheetToJson(sheet) };
}
