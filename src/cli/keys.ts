/**
 * `tollcall keys`: who a host is, was and will be; and which keys a payer has pinned.
 * @module
 */
import { join } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { toBase64url } from '../base/bytes/index.ts';
import { Fault } from '../base/fault/index.ts';
import { formatTime, systemClock } from '../base/time/index.ts';
import {
  openHostKeys,
  readHostKeys,
  revokeFormerKey,
  rotateHostKeys,
  type FormerKeys,
  type HostKeys,
} from '../port/keys/index.ts';
import { addPins } from './pins.ts';
import { shellPath, shownPath } from './places.ts';
import { printJson } from './report.ts';
import { openTerminal, type Terminal } from './terminal.ts';

const DAY_MS = 24 * 3600 * 1000;
const DEFAULT_OVERLAP_DAYS = 90;
const MAX_OVERLAP_DAYS = 3650;

interface JsonOption {
  readonly json?: boolean;
}

interface RotateOption extends JsonOption {
  readonly overlapDays?: number;
  readonly revoke?: boolean;
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
  tollcall keys rotate ./host    a new key; payers follow the old one to it
  tollcall keys pins             the keys of hosts that this payer remembers

Give payers host_pub.pem or the fingerprint over a way that they trust. The other files
are secret.`,
    );
  addMake(keys);
  addShow(keys);
  addRotate(keys);
  addRevoke(keys);
  addPins(keys);
}

function addMake(keys: Command): void {
  keys
    .command('make')
    .description('Makes the keys that are missing in a directory, for its owner alone (mode 0600).')
    .argument('<dir>', 'the directory of the host')
    .option('--json', 'print one JSON object, and nothing else')
    .addHelpText('after', '\nExample:\n  tollcall keys make ./host')
    .action(async (dir: string, { json = false }: JsonOption) => {
      const terminal = openTerminal(process.stdout, json);
      const had = await readHostKeys(dir);
      const found = await terminal.step(
        'keys',
        () => writing(dir, () => openHostKeys(dir)),
        () => `${had ? 'kept' : 'made'} in ${shownPath(dir)}`,
      );
      if (json) return printJson({ made: had === undefined, ...keysToJson(dir, found) });
      printKeys(terminal, dir, found);
    });
}

function addShow(keys: Command): void {
  keys
    .command('show')
    .description('Shows the fingerprint of a host and its public key. Makes and changes nothing.')
    .argument('<dir>', 'the directory of the host')
    .option('--json', 'print one JSON object, and nothing else')
    .addHelpText('after', '\nExample:\n  tollcall keys show ./host')
    .action(async (dir: string, { json = false }: JsonOption) => {
      const found = await existing(dir);
      if (json) return printJson(keysToJson(dir, found));
      printKeys(openTerminal(process.stdout), dir, found);
    });
}

function addRotate(keys: Command): void {
  keys
    .command('rotate')
    .description(
      'Makes new keys. The old key signs that the new one follows it, so payers who pinned the ' +
        'old one go over by themselves. A running host goes over when it is started again.',
    )
    .argument('<dir>', 'the directory of the host')
    .option(
      '--overlap-days <days>',
      `how long orders for the old key are still taken (default: ${DEFAULT_OVERLAP_DAYS})`,
      parseDays,
    )
    .option('--revoke', 'the old key was stolen: no overlap, and nobody may follow it')
    .option('--json', 'print one JSON object, and nothing else')
    .addHelpText(
      'after',
      `
Examples:
  tollcall keys rotate ./host
  tollcall keys rotate ./host --overlap-days 14
  tollcall keys rotate ./host --revoke

What was sold under the old key stays good, however it ends. After a theft payers have to pin
the new key by hand; docs/keys.md says what a thief could have done.`,
    )
    .action(runRotate);
}

async function runRotate(dir: string, options: RotateOption): Promise<void> {
  const { json = false, revoke = false, overlapDays } = options;
  if (revoke && overlapDays !== undefined) {
    throw new Fault('USAGE_INVALID', { problem: '--revoke leaves no overlap' });
  }
  const terminal = openTerminal(process.stdout, json);
  const { certificates } = await existing(dir);
  const overlapMs = (overlapDays ?? DEFAULT_OVERLAP_DAYS) * DAY_MS;
  const nowMs = systemClock.now();
  const found = await terminal.step(
    'keys',
    () => writing(dir, () => rotateHostKeys(dir, { nowMs, overlapMs, revoke })),
    () => `rotated in ${shownPath(dir)}`,
  );
  if (json) return printJson({ rotated: true, ...keysToJson(dir, found) });
  printKeys(terminal, dir, found);
  terminal.line();
  terminal.line(
    '  A host that runs goes over to the new key when it is started again. Back up again.',
  );
  terminal.line(
    revoke
      ? '  Payers have to pin the new key by hand: give them its fingerprint over a way they trust.'
      : '  Payers who pinned the old key follow it to the new one by themselves.',
  );
  if (certificates !== undefined) {
    terminal.line(
      '  Its certificate was for the old key: put a new one into host_cert.pem before that.',
    );
  }
}

function addRevoke(keys: Command): void {
  keys
    .command('revoke')
    .description(
      'Declares a former key stolen, and with it each older one: its overlap ends, and payers ' +
        'who still pin it have to pin the new one by hand. For the current key: rotate --revoke.',
    )
    .argument('<dir>', 'the directory of the host')
    .argument('<fingerprint>', 'the former key, or its first digits: 8 at least')
    .option('--json', 'print one JSON object, and nothing else')
    .addHelpText('after', '\nExample:\n  tollcall keys revoke ./host 3a96daf5c1b2')
    .action(async (dir: string, fingerprint: string, { json = false }: JsonOption) => {
      const plain = fingerprint.replaceAll(':', '').toLowerCase();
      if (!/^[0-9a-f]{8,64}$/.test(plain)) {
        throw new Fault('USAGE_INVALID', { fingerprint, problem: 'not 8 to 64 hex digits' });
      }
      await existing(dir);
      const nowMs = systemClock.now();
      const found = await writing(dir, () => revokeFormerKey(dir, plain, nowMs));
      if (json) return printJson({ revoked: true, ...keysToJson(dir, found) });
      const terminal = openTerminal(process.stdout);
      printKeys(terminal, dir, found);
      terminal.line();
      terminal.line('  A host that runs refuses the old key when it is started again.');
    });
}

async function existing(dir: string): Promise<HostKeys> {
  const found = await readHostKeys(dir);
  if (found) return found;
  const next = `make them with "tollcall keys make ${shellPath(dir)}"`;
  throw new Fault('CONFIG_INVALID', { dir: shownPath(dir), problem: 'no keys here', next });
}

async function writing<T>(dir: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (!/^E[A-Z]+$/.test(code)) throw error;
    throw new Fault('CONFIG_INVALID', { dir: shownPath(dir), problem: `not writable: ${code}` });
  }
}

function parseDays(text: string): number {
  const days = Number(text);
  if (/^\d{1,4}$/.test(text) && days <= MAX_OVERLAP_DAYS) return days;
  throw new InvalidArgumentError(`An overlap is 0 to ${MAX_OVERLAP_DAYS} days.`);
}

function publicFile(dir: string): string {
  return join(dir, 'host_pub.pem');
}

function keysToJson(dir: string, keys: HostKeys): Record<string, unknown> {
  return {
    host_key_fingerprint: keys.fingerprint,
    host_key: keys.publicPem,
    host_key_file: publicFile(dir),
    receipt_key: toBase64url(keys.receiptKey),
    certified: keys.certificates !== undefined,
    former_keys: keys.former.map(formerToJson),
  };
}

function formerToJson({ fingerprint, succession, opensUntilMs, revoked }: FormerKeys): object {
  return {
    number: succession.number,
    host_key_fingerprint: fingerprint,
    replaced_at: formatTime(succession.atMs),
    ...(opensUntilMs > 0 ? { opens_until: formatTime(opensUntilMs) } : {}),
    revoked,
  };
}

function printKeys(terminal: Terminal, dir: string, keys: HostKeys): void {
  terminal.fields([
    ['fingerprint', keys.fingerprint],
    ['for payers', shownPath(publicFile(dir))],
    ['receipt key', toBase64url(keys.receiptKey)],
    ...(keys.certificates === undefined ? [] : [['certificate', 'host_cert.pem'] as const]),
    ...keys.former.map((one) => [`former ${one.succession.number}`, formerText(one)] as const),
  ]);
}

function formerText({ fingerprint, opensUntilMs, revoked }: FormerKeys): string {
  const open = opensUntilMs > systemClock.now();
  const until = open ? `opens orders until ${formatTime(opensUntilMs).slice(0, 10)}` : 'ended';
  return `${fingerprint}, ${revoked ? 'revoked' : until}`;
}
