/**
 * The human-readable part of an invoice: network and amount (BOLT 11, human-readable part).
 * @module
 */
import { msat, type Msat } from '../../base/money/index.ts';
import { malformed, type Network } from './invoice.ts';

const CURRENCIES: Readonly<Record<Network, string>> = {
  mainnet: 'bc',
  testnet: 'tb',
  signet: 'tbs',
  regtest: 'bcrt',
};
const NETWORKS = new Map(
  (Object.keys(CURRENCIES) as Network[]).map((network) => [CURRENCIES[network], network]),
);

/** Pico-bitcoin in one unit of each multiplier, the largest first. */
const PICO_PER_UNIT = [
  ['', 1_000_000_000_000n],
  ['m', 1_000_000_000n],
  ['u', 1_000_000n],
  ['n', 1_000n],
  ['p', 1n],
] as const;
const PICO_PER_MSAT = 10n;

/** A positive number without leading zeros and a multiplier; 21e6 BTC have 20 digits in `p`. */
const HUMAN_READABLE = /^ln([a-z]+)(?:([1-9]\d{0,19})([munp]?))?$/;

/**
 * The network and amount of a human-readable part in lower case.
 * @throws Fault `INVOICE_MALFORMED`
 */
export function readHumanReadable(text: string): { network: Network; amountMsat?: Msat } {
  const [, currency = '', digits, multiplier = ''] = HUMAN_READABLE.exec(text) ?? [];
  const network = NETWORKS.get(currency);
  if (network === undefined) throw malformed('prefix or amount');
  if (digits === undefined) return { network };
  const unit = PICO_PER_UNIT.find(([letter]) => letter === multiplier);
  const amountPico = BigInt(digits) * (unit?.[1] ?? 0n);
  if (amountPico % PICO_PER_MSAT !== 0n) throw malformed('amount below a millisatoshi');
  return { network, amountMsat: inRange(amountPico / PICO_PER_MSAT) };
}

/**
 * The shortest human-readable part: the largest multiplier that leaves a whole number.
 * @throws Fault `INVOICE_MALFORMED` for an amount of zero: leave it out instead
 */
export function writeHumanReadable(network: Network, amountMsat: Msat | undefined): string {
  const prefix = `ln${CURRENCIES[network]}`;
  if (amountMsat === undefined) return prefix;
  if (amountMsat <= 0n) throw malformed('amount');
  const amountPico = inRange(amountMsat) * PICO_PER_MSAT;
  const unit = PICO_PER_UNIT.find(([, pico]) => amountPico % pico === 0n);
  return unit === undefined ? prefix : `${prefix}${amountPico / unit[1]}${unit[0]}`;
}

function inRange(value: bigint): Msat {
  try {
    return msat(value);
  } catch {
    throw malformed('amount');
  }
}
