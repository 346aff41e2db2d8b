/**
 * The balance sheet of a host, for people and programs.
 * @module
 */
import type { Msat } from '../base/money/index.ts';
import { isBalanced, type Sheet } from '../pay/ledger/index.ts';
import type { Terminal } from './terminal.ts';

/** A sheet as JSON. Amounts are decimal texts in millisatoshis. */
export interface SheetJson {
  readonly received_msat: string;
  readonly served_msat: string;
  readonly reserved_msat: string;
  readonly credit_msat: string;
  readonly refunding_msat: string;
  readonly refunded_msat: string;
  readonly refund_fees_msat: string;
  readonly expired_msat: string;
  readonly unattributed_msat: string;
}

/** A sheet, ready to be printed as JSON. */
export function sheetToJson(sheet: Sheet): SheetJson {
  return {
    received_msat: `${sheet.receivedMsat}`,
    served_msat: `${sheet.servedMsat}`,
    reserved_msat: `${sheet.reservedMsat}`,
    credit_msat: `${sheet.creditMsat}`,
    refunding_msat: `${sheet.refundingMsat}`,
    refunded_msat: `${sheet.refundedMsat}`,
    refund_fees_msat: `${sheet.refundFeesMsat}`,
    expired_msat: `${sheet.expiredMsat}`,
    unattributed_msat: `${sheet.unattributedMsat}`,
  };
}

/** Prints a sheet as a table. */
export function printSheet(terminal: Terminal, sheet: Sheet): void {
  const places: [string, Msat][] = [
    ['served', sheet.servedMsat],
    ['reserved', sheet.reservedMsat],
    ['credit', sheet.creditMsat],
    ['refunding', sheet.refundingMsat],
    ['refunded', sheet.refundedMsat],
    ['refund fees', sheet.refundFeesMsat],
    ['expired', sheet.expiredMsat],
    ['unattributed', sheet.unattributedMsat],
  ];
  terminal.table(
    [
      ['balance sheet of the host', 'msat'],
      ['received', grouped(sheet.receivedMsat)],
      ...places.map(([name, amount]) => [`  ${name}`, grouped(amount)]),
    ],
    [1],
  );
}

/** Says whether the sheet is balanced. */
export function printBalanced(terminal: Terminal, sheet: Sheet): void {
  terminal.line(
    isBalanced(sheet)
      ? `  ${terminal.good('✔')} books     balanced: every millisatoshi received is accounted for`
      : `  ${terminal.bad('✘')} books     NOT balanced`,
  );
}

/** `1,234,567`. */
export function grouped(amount: bigint): string {
  return amount.toLocaleString('en-US');
}
