/**
 * A payer's profile: a directory with what a payer remembers (`payer.db`) and where its wallet is
 * (`profile.json`).
 * @module
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { Fault } from '../base/fault/index.ts';
import { silentLog } from '../base/log/index.ts';
import { systemRandom } from '../base/random/index.ts';
import { systemClock } from '../base/time/index.ts';
import { Payer, normalizeUrl, type Link, type Trust } from '../payer/index.ts';
import { payerKeyring } from '../port/keys/index.ts';
import { openNet, type Net } from '../port/net/index.ts';
import { openPayerStore, type PayerStore } from '../port/store/index.ts';
import { defaultProfileDir, shownPath } from './places.ts';
import { socketWallet, type ChannelWallet } from './wallet-socket.ts';

const schema = z.strictObject({
  version: z.literal(1),
  wallet: z.strictObject({ kind: z.literal('socket'), path: z.string().min(1) }),
});

/** What stands in `profile.json`. */
export type ProfileFile = z.infer<typeof schema>;

/** A profile in use. */
export interface Profile {
  readonly dir: string;
  readonly payer: Payer;
  readonly store: PayerStore;
  readonly wallet: ChannelWallet;
  /**
   * Meets a host, at once or not at all.
   * @throws Fault `HOST_UNREACHABLE`, `HOST_KEY_CHANGED`
   */
  connect(host: string, trust?: Trust): Promise<Link>;
  close(): Promise<void>;
}

/** Writes a profile, and what it was before is gone. */
export function writeProfile(dir: string, profile: ProfileFile): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const file = join(dir, 'profile.json');
  const temporary = `${file}.${process.pid}.new`;
  writeFileSync(temporary, `${JSON.stringify(profile, null, 2)}\n`, { mode: 0o600, flush: true });
  renameSync(temporary, file);
}

/**
 * Opens a profile.
 * @throws Fault `CONFIG_INVALID` when there is none
 */
export async function openProfile(dir = defaultProfileDir()): Promise<Profile> {
  const { wallet: place } = readProfile(dir);
  return assemble(dir, join(dir, 'payer.db'), socketWallet(resolve(dir, place.path)));
}

/** A profile that only looks: the one in `dir` if there is one, else one that forgets. */
export async function openLooker(dir = defaultProfileDir()): Promise<Profile> {
  if (existsSync(join(dir, 'profile.json'))) return openProfile(dir);
  return assemble(dir, ':memory:', socketWallet(join(dir, 'wallet.sock')));
}

function readProfile(dir: string): ProfileFile {
  const file = join(dir, 'profile.json');
  if (!existsSync(file)) {
    const next = 'start "tollcall dev", which makes one, or name one with --profile';
    throw new Fault('CONFIG_INVALID', { profile: shownPath(dir), problem: 'no profile', next });
  }
  try {
    return schema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    const facts = { profile: shownPath(file), problem: 'not a profile' };
    throw new Fault('CONFIG_INVALID', facts, error);
  }
}

async function assemble(dir: string, file: string, wallet: ChannelWallet): Promise<Profile> {
  const [clock, random, log] = [systemClock, systemRandom, silentLog];
  const net = openNet();
  const store = await openPayerStore({ file });
  const payer = new Payer({ net, store, wallet, clock, random, log, keyring: payerKeyring });
  return {
    dir,
    payer,
    store,
    wallet,
    connect: async (host, trust = {}) => {
      await knock(net, normalizeUrl(host));
      return payer.connect(host, trust);
    },
    close: async () => {
      await net.close();
      await wallet.close();
      await store.close();
    },
  };
}

const KNOCK_TIMEOUT_MS = 10_000;

/** One try: a person who mistyped the address shall not wait for the payer's patience. */
async function knock(net: Net, url: string): Promise<void> {
  try {
    await net.send({
      method: 'GET',
      url: `${url}/health`,
      headers: {},
      timeoutMs: KNOCK_TIMEOUT_MS,
    });
  } catch (error) {
    const next = 'check the address; "tollcall dev" starts a host on this machine';
    throw new Fault('HOST_UNREACHABLE', { url, next }, error);
  }
}
