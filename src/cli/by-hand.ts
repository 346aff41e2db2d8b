/**
 * Paying by hand on the command line: shows an invoice to a person, as text and as a QR code, and
 * how long it can still be paid.
 * @module
 */
import { formatMsat } from '../base/money/index.ts';
import { systemClock } from '../base/time/index.ts';
import type { Bill, ByHand } from '../payer/index.ts';
import { canvasOf, qrLines } from './qr.ts';
import { callsText } from './quote.ts';
import type { Terminal } from './terminal.ts';

/** A person who pays, until `stop`. */
export interface Person extends ByHand {
  /** The last invoice that was shown. */
  readonly shown: Bill | undefined;
  /** Waits no longer; the invoice stays good. */
  stop(): void;
  /** Takes the countdown away. */
  done(): void;
}

/** Shows invoices on a terminal; with `json`, as a line of JSON on standard error. */
export function openPerson(terminal: Terminal, json: boolean): Person {
  const abort = new AbortController();
  let shown: Bill | undefined;
  let cancel = (): void => undefined;
  const countDown = (bill: Bill): void => {
    const left = Math.max(0, Math.ceil((bill.payByMs - systemClock.now()) / 1000));
    const clock = `${Math.floor(left / 60)}:${`${left % 60}`.padStart(2, '0')}`;
    terminal.progress(`waiting for the payment, ${clock} left`);
    cancel = systemClock.timer(1000, () => countDown(bill));
  };
  return {
    get shown() {
      return shown;
    },
    signal: abort.signal,
    show: (bill) => {
      shown = bill;
      if (json) return showJson(bill);
      showBill(terminal, bill);
      countDown(bill);
    },
    stop: () => abort.abort(),
    done: () => {
      cancel();
      terminal.progressDone();
    },
  };
}

function showBill(terminal: Terminal, bill: Bill): void {
  const canvas = canvasOf(process.stdout);
  // In capitals a code is a third smaller, and every wallet reads them (BIP 173).
  const lines = canvas && qrLines(bill.invoice.toUpperCase(), canvas);
  terminal.line();
  if (lines !== undefined) for (const line of [...lines, '']) terminal.line(line);
  else if (canvas) terminal.line('  (The terminal is too narrow for its QR code.)');
  const what = `${callsText(bill.calls)} of ${bill.service}`;
  terminal.line(`  ${terminal.bold(`Pay ${formatMsat(bill.totalMsat)}`)} for ${what}:`);
  terminal.line();
  terminal.line(bill.invoice);
  terminal.line();
}

function showJson({ purchase, invoice, totalMsat, payByMs }: Bill): void {
  const bill = { purchase, invoice, total_msat: `${totalMsat}`, pay_by_ms: payByMs };
  process.stderr.write(`${JSON.stringify(bill)}\n`);
}
