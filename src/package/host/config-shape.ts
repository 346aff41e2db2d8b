/**
 * The form of each part of a configuration.
 * @module
 */
import { z } from 'zod';
import { MAX_MSAT, type Msat } from '../../base/money/index.ts';
import { MAX_WAIT_MS } from '../../base/time/index.ts';
import { BOOKS_LIMITS, type BooksLimits, type Durability } from '../../books/index.ts';
import { DOOR_LIMITS, type DoorLimits } from '../../door/http/index.ts';
import { HOST_LIMITS, type HostLimits, type Service } from '../../host/index.ts';
import type { Wallet } from '../../port/wallet/index.ts';
import { MAX_WORKERS } from './limits.ts';

const amountMsat = z.custom<Msat>(
  (value) => typeof value === 'bigint' && value > 0n && value <= MAX_MSAT,
  'must be an amount: msat(1000)',
);
const port = z.number().int().min(0).max(65_535);
const path = z.string().min(1).max(4096);
const text = z.string().max(100);

const SERVICE_PARTS = ['name', 'price', 'effect', 'steps', 'recover'];
const aService = z.custom<Service>(
  (value) => hasAll(value, SERVICE_PARTS),
  'is no service: make it with service(name, {...})',
);

const WALLET_METHODS: readonly (keyof Wallet)[] = [
  'info',
  'balance',
  'createInvoice',
  'pay',
  'outgoing',
  'incoming',
  'receivedAfter',
  'onReceived',
  'close',
];
const walletHelp =
  "must be a wallet, a function that opens one, or {kind: 'regtest', dir: './regtest'}";
const aWallet = z.custom<Wallet | (() => Wallet | Promise<Wallet>)>(
  (value) => typeof value === 'function' || isWallet(value),
  walletHelp,
);
const regtest = z.strictObject({ kind: z.literal('regtest'), dir: path });

/** The parts of a configuration by name, in the order in which problems are told. */
export const SHAPES = {
  network: z.enum(['mainnet', 'testnet', 'signet', 'regtest']),
  services: z.array(aService).min(1, 'nothing is on sale').max(1000),
  wallet: z.union([regtest, aWallet], {
    error: ({ input }) => (input === undefined ? 'is missing' : walletHelp),
  }),
  dir: path,
  listen: z.strictObject({ address: text.optional(), port: port.optional() }).optional(),
  tls: z.strictObject({ certFile: path, keyFile: path }).optional(),
  behindProxy: z.boolean().optional(),
  creditKeepDays: z.number().int().min(0).max(36_500).optional(),
  caps: z
    .strictObject({
      maxPrepaidMsat: amountMsat.optional(),
      maxLiabilityMsat: amountMsat.optional(),
      refundAfterMs: z.number().int().min(0).max(MAX_WAIT_MS).optional(),
    })
    .transform((caps) => caps as Partial<Pick<BooksLimits, CapName>>)
    .optional(),
  durability: z
    .union([
      z.literal('commit').transform((kind) => ({ kind })),
      z
        .strictObject({ maxMs: z.number().int().min(1).max(60_000), maxMsat: amountMsat })
        .transform((bounds): Durability => ({ kind: 'lazy', ...bounds })),
    ])
    .optional(),
  limits: z
    .strictObject({
      host: limitsOf<HostLimits>(HOST_LIMITS),
      door: limitsOf<DoorLimits>(DOOR_LIMITS),
      books: limitsOf<NumericLimits>(withoutCaps(BOOKS_LIMITS)),
    })
    .optional(),
  admin: z.boolean().optional(),
  workers: z.number().int().min(0).max(MAX_WORKERS).optional(),
  metrics: z.strictObject({ address: text.optional(), port }).optional(),
} as const;

/** Which limits of the books are caps. */
export type CapName = 'maxPrepaidMsat' | 'maxLiabilityMsat' | 'refundAfterMs';
/** A part of a configuration. */
export type ConfigKey = keyof typeof SHAPES;
/** All of them. */
export const KEYS = Object.keys(SHAPES) as ConfigKey[];

/** Some of these numbers: times in milliseconds, the others whole and from 1. */
function limitsOf<Limits>(defaults: Readonly<Record<string, number>> | Limits) {
  const numbers = Object.keys(defaults as object).map((name) => {
    const max = name.endsWith('Ms') ? MAX_WAIT_MS : 2 ** 40;
    return [name, z.number().int().min(1).max(max).optional()] as const;
  });
  return z
    .strictObject(Object.fromEntries(numbers))
    .transform((limits) => limits as Partial<Limits>)
    .optional();
}

type NumericLimits = Omit<BooksLimits, CapName | 'durability'>;

function withoutCaps({
  maxPrepaidMsat: _prepaid,
  maxLiabilityMsat: _liability,
  refundAfterMs: _refund,
  durability: _durability,
  ...rest
}: BooksLimits): NumericLimits {
  return rest;
}

/** True for what has all methods of a wallet. */
export function isWallet(value: unknown): value is Wallet {
  return hasAll(value, WALLET_METHODS);
}

function hasAll(value: unknown, names: readonly string[]): boolean {
  return typeof value === 'object' && value !== null && names.every((name) => name in value);
}
