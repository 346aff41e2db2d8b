/**
 * What every command that talks to a host can be told: whose profile, and which key to expect.
 * @module
 */
import { readFileSync } from 'node:fs';
import { InvalidArgumentError, type Command } from 'commander';
import { Fault } from '../base/fault/index.ts';
import { peerKey } from '../port/keys/index.ts';
import type { Trust } from '../payer/index.ts';

/** The options of `hostOptions`. */
export interface HostOptions {
  readonly profile?: string;
  readonly hostKey?: string;
  readonly fingerprint?: string;
  readonly json?: boolean;
}

/** Adds them to a command. */
export function hostOptions(command: Command): Command {
  return command
    .option(
      '--profile <directory>',
      'the payer profile (default: TOLLCALL_PROFILE, or that of dev)',
    )
    .option('--host-key <file>', 'the public key that the seller gave out, in PEM')
    .option('--fingerprint <hex>', 'its SHA-256; without either, the first key that was seen')
    .option('--json', 'print one JSON object, and nothing else');
}

/** Which key to expect. @throws Fault `CONFIG_INVALID`, `KEY_MALFORMED`, `USAGE_INVALID` */
export function trustOf({ hostKey, fingerprint }: HostOptions): Trust {
  if (hostKey !== undefined) {
    const pem = readText(hostKey, '--host-key');
    peerKey(pem);
    return { hostKeyPem: pem };
  }
  if (fingerprint === undefined) return {};
  const plain = fingerprint.replaceAll(':', '').toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(plain)) {
    throw new Fault('USAGE_INVALID', { option: '--fingerprint', problem: 'not 64 hex digits' });
  }
  return { fingerprint: plain };
}

/** The text of a file that the command line names. @throws Fault `CONFIG_INVALID` */
export function readText(file: string, option: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new Fault('CONFIG_INVALID', { option, file, problem: 'cannot be read' }, error);
  }
}

/** A number of calls. */
export function parseQuantity(text: string): number {
  const calls = Number(text);
  if (!/^\d{1,9}$/.test(text) || calls < 1) {
    throw new InvalidArgumentError('A quantity is a whole number from 1.');
  }
  return calls;
}
