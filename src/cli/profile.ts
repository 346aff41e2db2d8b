/**
 * A payer's profile: a directory with what a payer remembers (`payer.db`) and where its wallet is
 * (`profile.json`).
 * @module
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { Fault, isFault } from '../base/fault/index.ts';
import { msat } from '../base/money/index.ts';
import { silentLog } from '../base/log/index.ts';
import { systemRandom } from '../base/random/index.ts';
import { systemClock } from '../base/time/index.ts';
import { socketWallet, type ChannelWallet } from '../package/payer/index.ts';
import { Payer, normalizeUrl, type Link, type SpendLimit, type Trust } from '../payer/index.ts';
import { payerKeyring } from '../port/keys/index.ts';
import { openNet, type Net } from '../port/net/index.ts';
import { openPayerStore, type PayerStore } from '../port/store/index.ts';
import { defaultProfileDir, shownPath } from './places.ts';

const schema = z.strictObject({
  version: z.literal(1),
  wallet: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('socket'), path: z.string().min(1) }),
    /** A person pays, with a wallet that this program knows nothing of. */
    z.strictObject({ kind: z.literal('hand') }),
  ]),
  /** The most that may be spent, routing fees left out. */
  spend_limits: z
    .array(
      z.strictObject({
        limit_msat: z.string().regex(/^\d{1,18}$/),
        window_hours: z.number().positive().optional(),
        per_host: z.boolean().optional(),
      }),
    )
    .optional(),
});

/** What stands in `profile.json`. */
export type ProfileFile = z.infer<typeof schema>;

/** A profile in use. */
export interface Profile {
  readonly dir: string;
  readonly payer: Payer;
  readonly store: PayerStore;
  readonly wallet: ChannelWallet;
  /** It has no wallet: a person pays. */
  readonly byHand: boolean;
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
 * @param byHand makes one without a wallet if there is none
 * @throws Fault `CONFIG_INVALID` when there is none
 */
export async function openProfile(dir = defaultProfileDir(), byHand = false): Promise<Profile> {
  if (byHand && !existsSync(join(dir, 'profile.json'))) {
    writeProfile(dir, { version: 1, wallet: { kind: 'hand' } });
  }
  const { wallet: place, spend_limits: limits = [] } = readProfile(dir);
  const wallet = place.kind === 'hand' ? undefined : socketWallet(resolve(dir, place.path));
  return assemble(dir, join(dir, 'payer.db'), wallet, limits.map(spendLimit));
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

function spendLimit(limit: NonNullable<ProfileFile['spend_limits']>[number]): SpendLimit {
  const { limit_msat: text, window_hours: hours, per_host: perHost } = limit;
  return {
    limitMsat: msat(BigInt(text)),
    ...(hours === undefined ? {} : { windowMs: hours * 3_600_000 }),
    ...(perHost === undefined ? {} : { perHost }),
  };
}

async function assemble(
  dir: string,
  file: string,
  found: ChannelWallet | undefined,
  spendLimits: readonly SpendLimit[] = [],
): Promise<Profile> {
  const wallet = found ?? noWallet();
  const [clock, random, log] = [systemClock, systemRandom, silentLog];
  const net = openNet();
  const store = await openPayerStore({ file });
  const parts = { net, store, wallet, clock, random, log, spendLimits };
  const payer = new Payer({ ...parts, keyring: payerKeyring });
  return {
    dir,
    payer,
    store,
    wallet,
    byHand: found === undefined,
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

/** Asks the wallet something. @throws Fault `CONFIG_INVALID` when it does not run */
export async function askWallet<T>({ dir }: Profile, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!isFault(error) || error.code !== 'WALLET_STOPPED') throw error;
    const next = 'start "tollcall dev", which runs the wallet of this profile';
    throw new Fault('CONFIG_INVALID', { profile: dir, problem: 'no wallet answers', next }, error);
  }
}

/** Stands where a wallet is asked although there is none. */
function noWallet(): ChannelWallet {
  const refuse = (): Promise<never> => {
    const next = 'buy with "tollcall call --pay-by-hand", or name another profile with --profile';
    throw new Fault('CONFIG_INVALID', { problem: 'this profile has no wallet', next });
  };
  return {
    info: refuse,
    balance: refuse,
    createInvoice: refuse,
    pay: refuse,
    outgoing: refuse,
    incoming: refuse,
    receivedAfter: refuse,
    listIncoming: refuse,
    listOutgoing: refuse,
    channels: refuse,
    onReceived: () => () => undefined,
    close: () => Promise.resolve(),
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
