/**
 * `tollcall keys`: who a host is.
 * @module
 */
import { join } from 'node:path';
import type { Command } from 'commander';
import { toBase64url } from '../base/bytes/index.ts';
import { Fault } from '../base/fault/index.ts';
import { openHostKeys, readHostKeys, type HostKeys } from '../port/keys/index.ts';
import { shellPath, shownPath } from './places.ts';
import { printJson } from './report.ts';
import { openTerminal, type Terminal } from './terminal.ts';

interface JsonOption {
  readonly json?: boolean;
}

/** Adds `tollcall keys`. */
export function addKeys(program: Command): void {
  const keys = program
    .command('keys')
    .summary('who a host is')
    .description(
      'The keys of a host: RSA-4096, by which payers know it, and Ed25519, which signs receipts.',
    )
    .addHelpText(
      'after',
      `
Examples:
  tollcall keys make ./host      makes those that are missing
  tollcall keys show ./host      the fingerprint, for payers to check

Give payers host_pub.pem or the fingerprint over a way that they trust. The other files
are secret.`,
    );
  keys
    .command('make')
    .description('Makes the keys that are missing in a directory, for its owner alone (mode 0600).')
    .argument('<dir>', 'the directory of the host')
    .option('--json', 'print one JSON object, and nothing else')
    .action(async (dir: string, { json = false }: JsonOption) => {
      const terminal = openTerminal(process.stdout, json);
      const had = await readHostKeys(dir);
      const found = await terminal.step(
        'keys',
        () => openKeys(dir),
        () => `${had ? 'kept' : 'made'} in ${shownPath(dir)}`,
      );
      if (json) return printJson({ made: had === undefined, ...keysToJson(dir, found) });
      printKeys(terminal, dir, found);
    });
  keys
    .command('show')
    .description('Shows the fingerprint of a host and its public key. Makes and changes nothing.')
    .argument('<dir>', 'the directory of the host')
    .option('--json', 'print one JSON object, and nothing else')
    .action(async (dir: string, { json = false }: JsonOption) => {
      const found = await readHostKeys(dir);
      if (found === undefined) {
        const next = `make them with "tollcall keys make ${shellPath(dir)}"`;
        throw new Fault('CONFIG_INVALID', { dir: shownPath(dir), problem: 'no keys here', next });
      }
      if (json) return printJson(keysToJson(dir, found));
      printKeys(openTerminal(process.stdout), dir, found);
    });
}

async function openKeys(dir: string): Promise<HostKeys> {
  try {
    return await openHostKeys(dir);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (!/^E[A-Z]+$/.test(code)) throw error;
    throw new Fault('CONFIG_INVALID', { dir: shownPath(dir), problem: `not writable: ${code}` });
  }
}

function publicFile(dir: string): string {
  return join(dir, 'host_pub.pem');
}

function keysToJson(dir: string, keys: HostKeys): Record<string, string> {
  return {
    host_key_fingerprint: keys.fingerprint,
    host_key: keys.publicPem,
    host_key_file: publicFile(dir),
    receipt_key: toBase64url(keys.receiptKey),
  };
}

function printKeys(terminal: Terminal, dir: string, keys: HostKeys): void {
  terminal.fields([
    ['fingerprint', keys.fingerprint],
    ['for payers', shownPath(publicFile(dir))],
    ['receipt key', toBase64url(keys.receiptKey)],
  ]);
}
