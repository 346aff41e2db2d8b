/**
 * `tollcall refund`: gets prepaid money back.
 * @module
 */
import type { Command } from 'commander';
import { Fault, isFault } from '../base/fault/index.ts';
import { ZERO_MSAT, formatMsat, msat, type Msat } from '../base/money/index.ts';
import type { Link, PayerSession, RefundResult } from '../payer/index.ts';
import { hostOptions, trustOf, type HostOptions } from './host-options.ts';
import { askWallet, openProfile, type Profile } from './profile.ts';
import { printJson } from './report.ts';
import { chooseSession, standing } from './sessions.ts';
import { openTerminal } from './terminal.ts';

interface RefundOptions extends HostOptions {
  readonly session?: string;
  readonly amount?: string;
  readonly to?: string;
}

/** Adds `tollcall refund`. */
export function addRefund(program: Command): void {
  const command = program
    .command('refund')
    .summary('get prepaid money back')
    .description(
      'Has what is prepaid and not used paid back by Lightning: to the wallet of the ' +
        'profile, or to any invoice. What routing may cost is set aside; what is left of it is ' +
        'credit again.',
    )
    .argument('<host>', 'its address, such as 127.0.0.1:8402')
    .option(
      '--session <id>',
      'which one, by the first digits of its id; else the latest with credit',
    )
    .option('--amount <msat>', 'how much, in millisatoshis; else all that can be refunded')
    .option('--to <invoice>', 'a BOLT 11 invoice of another wallet; the host says when it is paid');
  hostOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  tollcall refund 127.0.0.1:8402
  tollcall refund 127.0.0.1:8402 --session 3fa4 --amount 2000
  tollcall refund 127.0.0.1:8402 --to lnbcrt20n1... --json

Stopped in the middle, the same command goes on: nothing is refunded twice.`,
    )
    .action((host: string, options: RefundOptions) => runRefund(host, options));
}

async function runRefund(host: string, options: RefundOptions): Promise<void> {
  const amountMsat = amountOf(options.amount);
  const trust = trustOf(options);
  const profile = await openProfile(options.profile);
  const terminal = openTerminal(process.stdout, options.json ?? false);
  try {
    const link = await profile.connect(host, trust);
    const session = await choose(profile, link, options.session);
    const wanted = {
      ...(amountMsat === undefined ? {} : { amountMsat }),
      ...(options.to === undefined ? {} : { invoice: options.to }),
    };
    if (options.to === undefined) await askWallet(profile, () => profile.wallet.info());
    const fresh = Object.keys(wanted).length > 0;
    const open = fresh ? undefined : await openRefund(profile, session);
    const refund = await terminal.step(
      'refund',
      () => (open === undefined ? session.refund(wanted) : goOn(session, open)),
      (done) => `${formatMsat(done.amountMsat)} of session ${session.session.slice(0, 8)}`,
    );
    const status = await standing(session);
    if (options.json) {
      return printJson({
        host: link.url,
        session: session.session,
        refund: refund.refundId,
        payment_hash: refund.paymentHash,
        amount_msat: refund.amountMsat,
        credit_msat: status?.creditMsat ?? ZERO_MSAT,
        calls_left: status?.callsLeft ?? 0,
      });
    }
    terminal.line(`  ${formatMsat(status?.creditMsat ?? ZERO_MSAT)} credit left`);
  } finally {
    await profile.close();
  }
}

/** Goes on with a refund of an earlier run; if the host refuses that one, begins a new one. */
async function goOn(session: PayerSession, refundId: string): Promise<RefundResult> {
  try {
    return await session.refund({ refundId });
  } catch (error) {
    if (!isFault(error) || error.row.money !== 'unspent') throw error;
    return session.refund();
  }
}

function amountOf(text: string | undefined): Msat | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,17}$/.test(text)) return msat(BigInt(text));
  throw new Fault('USAGE_INVALID', { option: '--amount', problem: 'not a whole number from 1' });
}

/** The one that was named; else the latest with something to refund, or whose refund is open. */
async function choose(
  profile: Profile,
  link: Link,
  wanted: string | undefined,
): Promise<PayerSession> {
  const sessions = await profile.payer.sessions(link, { ticks: true });
  if (wanted !== undefined) return chooseSession(sessions, link.url, wanted);
  for (const session of sessions.toReversed()) {
    if ((await openRefund(profile, session)) !== undefined) return session;
    const status = await standing(session);
    if (status !== undefined && status.refundableMsat > ZERO_MSAT) return session;
  }
  return chooseSession(sessions, link.url, undefined);
}

/** The refund of an earlier run that has not ended. */
async function openRefund(
  { store }: Profile,
  { session }: PayerSession,
): Promise<string | undefined> {
  const refunds = await store.refunds(session);
  return refunds.find(({ state }) => state === 'asked')?.id;
}
