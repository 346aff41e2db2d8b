/**
 * `tollcall keys pins` and `keys trust`: the keys of hosts that a payer remembers.
 * @module
 */
import type { Command } from 'commander';
import { Fault } from '../base/fault/index.ts';
import { formatTime, systemClock } from '../base/time/index.ts';
import { normalizeUrl } from '../payer/index.ts';
import { peerKey } from '../port/keys/index.ts';
import type { PayerStore, Pin } from '../port/store/index.ts';
import { trustOf, type HostOptions } from './host-options.ts';
import { openProfile } from './profile.ts';
import { printJson } from './report.ts';
import { openTerminal } from './terminal.ts';

const PROFILE = [
  '--profile <directory>',
  'the payer profile (default: TOLLCALL_PROFILE, or that of dev)',
] as const;

/** Adds `tollcall keys pins` and `tollcall keys trust`. */
export function addPins(keys: Command): void {
  keys
    .command('pins')
    .description('Lists the keys of hosts that this payer has pinned, at first use or on purpose.')
    .option(...PROFILE)
    .option('--json', 'print one JSON object, and nothing else')
    .addHelpText('after', '\nExamples:\n  tollcall keys pins\n  tollcall keys pins --json')
    .action(async ({ profile: dir, json = false }: HostOptions) => {
      const pins = await withStore(dir, (store) => store.pins());
      if (json) return printJson({ pins: pins.map(pinToJson) });
      const terminal = openTerminal(process.stdout);
      if (pins.length === 0) return terminal.line('  no host has been met yet');
      terminal.table([
        ['host', 'key', 'pinned'],
        ...pins.map(({ host, fingerprint, pinnedAtMs }) => [
          host,
          fingerprint,
          formatTime(pinnedAtMs).slice(0, 16).replace('T', ' '),
        ]),
      ]);
    });
  keys
    .command('trust')
    .description(
      'Pins the key of a host on purpose, in the place of the one that is pinned. Ask the seller ' +
        'for it over a way that you trust, not the host: who took its address shows another key.',
    )
    .argument('<host>', 'its address, such as 127.0.0.1:8402')
    .option('--fingerprint <hex>', 'the SHA-256 of the key')
    .option('--host-key <file>', 'the public key itself, in PEM')
    .option(...PROFILE)
    .option('--json', 'print one JSON object, and nothing else')
    .addHelpText(
      'after',
      `
Examples:
  tollcall keys trust quotes.example --host-key ./host_pub.pem
  tollcall keys trust 127.0.0.1:8402 --fingerprint 3a96daf5…`,
    )
    .action((host: string, options: HostOptions) => runTrust(host, options));
}

async function runTrust(address: string, options: HostOptions): Promise<void> {
  const host = normalizeUrl(address);
  const fingerprint = told(options);
  const pin = { host, fingerprint, pinnedAtMs: systemClock.now() };
  const before = await withStore(options.profile, (store) => replacePin(store, pin));
  const changed = before !== fingerprint;
  if (options.json) {
    return printJson({ host, fingerprint, changed, ...(before === undefined ? {} : { before }) });
  }
  const terminal = openTerminal(process.stdout);
  terminal.line(`  ${terminal.good('✔')} ${changed ? 'pinned' : 'pinned already'}`);
  terminal.fields([
    ['host', host],
    ['key', fingerprint],
    ...(changed && before !== undefined ? [['before', before] as const] : []),
  ]);
}

/** The key that the command line names. @throws Fault `USAGE_INVALID` */
function told(options: HostOptions): string {
  const { hostKeyPem, fingerprint } = trustOf(options);
  const named = [
    ...(hostKeyPem === undefined ? [] : [peerKey(hostKeyPem).fingerprint]),
    ...(fingerprint === undefined ? [] : [fingerprint]),
  ];
  const [first] = named;
  if (first === undefined) {
    throw new Fault('USAGE_INVALID', { problem: 'give --fingerprint or --host-key' });
  }
  if (named.some((one) => one !== first)) {
    throw new Fault('USAGE_INVALID', { problem: '--fingerprint is not that of --host-key' });
  }
  return first;
}

/** Pins a key; what was pinned before. */
async function replacePin(store: PayerStore, pin: Pin): Promise<string | undefined> {
  const { first, fingerprint } = await store.pin(pin);
  if (first) return undefined;
  if (fingerprint === pin.fingerprint) return fingerprint;
  // Another process may have moved it in the meantime.
  const moved = await store.repin(pin, fingerprint);
  return moved === 'ok' ? fingerprint : replacePin(store, pin);
}

async function withStore<T>(
  dir: string | undefined,
  use: (store: PayerStore) => Promise<T>,
): Promise<T> {
  const profile = await openProfile(dir);
  try {
    return await use(profile.store);
  } finally {
    await profile.close();
  }
}

function pinToJson({ host, fingerprint, pinnedAtMs }: Pin): Record<string, string> {
  return { host, fingerprint, pinned_at: formatTime(pinnedAtMs) };
}
