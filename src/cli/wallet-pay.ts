/**
 * `tollcall wallet pay`: pays an invoice, for programs that buy without the library.
 * @module
 */
import type { Command } from 'commander';
import { Fault } from '../base/fault/index.ts';
import { formatMsat } from '../base/money/index.ts';
import { decodeInvoice } from '../bitcoin/bolt/index.ts';
import { feeLimitMsat } from '../payer/index.ts';
import { paymentFault, type Outgoing } from '../port/wallet/index.ts';
import { limitOf } from './call.ts';
import { askWallet, openProfile, type Profile } from './profile.ts';
import { printJson } from './report.ts';
import { openTerminal } from './terminal.ts';

/** How long the wallet may try. */
const PAY_TIMEOUT_MS = 60_000;

interface PayOptions {
  readonly profile?: string;
  readonly json?: boolean;
  readonly maxMsat?: string;
}

/** Adds `tollcall wallet pay`. */
export function addWalletPay(wallet: Command): void {
  wallet
    .command('pay')
    .summary('pay a Lightning invoice')
    .description(
      'Pays a BOLT 11 invoice from the wallet of a profile and prints the proof. ' +
        'The same invoice again is the same payment. Spending limits of the profile ' +
        'hold for what tollcall buys, not here.',
    )
    .argument('<invoice>', 'a BOLT 11 invoice that names its amount')
    .option('--max-msat <msat>', 'refuse an invoice above this amount, in millisatoshis')
    .addHelpText(
      'after',
      '\nExamples:\n  tollcall wallet pay lnbcrt40n1...\n' +
        '  tollcall wallet pay lnbcrt40n1... --max-msat 4000 --json',
    )
    .action(async (invoice: string, _: PayOptions, command: Command) => {
      const options = command.optsWithGlobals<PayOptions>();
      const profile = await openProfile(options.profile);
      try {
        await runPay(profile, invoice, options);
      } finally {
        await profile.close();
      }
    });
}

async function runPay(
  profile: Profile,
  text: string,
  { json = false, maxMsat }: PayOptions,
): Promise<void> {
  const { paymentHash, amountMsat } = decodeInvoice(text);
  if (amountMsat === undefined) throw new Fault('INVOICE_AMOUNT', { problem: 'it names none' });
  const limitMsat = limitOf(maxMsat);
  if (limitMsat !== undefined && amountMsat > limitMsat) {
    throw new Fault('PAYMENT_PRICE', { asked_msat: `${amountMsat}`, limit_msat: `${limitMsat}` });
  }
  const invoice = text.replace(/^lightning:/i, '');
  const maxFeeMsat = feeLimitMsat(amountMsat);
  const paid = await openTerminal(process.stdout, json).step(
    'payment',
    () =>
      askWallet(profile, async () =>
        proven(await profile.wallet.pay({ invoice, maxFeeMsat, timeoutMs: PAY_TIMEOUT_MS })),
      ),
    ({ feeMsat, preimage }) =>
      `paid ${formatMsat(amountMsat)}, ${formatMsat(feeMsat)} in fees; preimage ${preimage}`,
  );
  if (!json) return;
  const { feeMsat, preimage } = paid;
  printJson({ payment_hash: paymentHash, amount_msat: amountMsat, fee_msat: feeMsat, preimage });
}

/** @throws Fault when it failed, or `PAYMENT_UNKNOWN` while nobody knows */
function proven(payment: Outgoing): Outgoing & { readonly state: 'paid' } {
  if (payment.state === 'failed') throw paymentFault(payment);
  if (payment.state === 'pending') throw new Fault('PAYMENT_UNKNOWN');
  return payment;
}
