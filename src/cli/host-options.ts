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
  readonly hostCa?: string;
  readonly hostName?: string;
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
    .option('--host-ca <file>', 'the certificate of a CA that has to vouch for the key, in PEM')
    .option('--host-name <name>', 'the name in its certificate, if it is not that of the address')
    .option('--json', 'print one JSON object, and nothing else');
}

/**
 * Which key to expect: of several ways to say it, all have to agree.
 * @throws Fault `CONFIG_INVALID`, `KEY_MALFORMED`, `USAGE_INVALID`
 */
export function trustOf({ hostKey, fingerprint, hostCa, hostName }: HostOptions): Trust {
  if (hostName !== undefined && hostCa === undefined) {
    throw new Fault('USAGE_INVALID', { option: '--host-name', problem: 'needs --host-ca' });
  }
  return {
    ...(hostKey === undefined ? {} : { hostKeyPem: readHostKey(hostKey) }),
    ...(fingerprint === undefined ? {} : { fingerprint: readFingerprint(fingerprint) }),
    ...(hostCa === undefined ? {} : { caPem: readText(hostCa, '--host-ca') }),
    ...(hostName === undefined ? {} : { name: hostName }),
  };
}

function readHostKey(file: string): string {
  const pem = readText(file, '--host-key');
  peerKey(pem);
  return pem;
}

function readFingerprint(text: string): string {
  const plain = text.replaceAll(':', '').toLowerCase();
  if (/^[0-9a-f]{64}$/.test(plain)) return plain;
  throw new Fault('USAGE_INVALID', { option: '--fingerprint', problem: 'not 64 hex digits' });
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
