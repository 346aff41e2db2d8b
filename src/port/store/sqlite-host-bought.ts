/**
 * How what a session has bought stands in a column: JSON, amounts as texts.
 * @module
 */
import { parseMsat } from '../../base/money/index.ts';
import { unixMs } from '../../base/time/index.ts';
import type { Bought, Line } from '../../pay/ledger/index.ts';
import { text } from './sqlite-columns.ts';
import type { SqlRow } from './sqlite-file.ts';

interface LineJson {
  readonly service: string;
  readonly calls: number;
  readonly total_msat: string;
}

interface BoughtJson {
  readonly calls: number;
  readonly total_msat: string;
  readonly expires_at_ms: number;
  readonly lines?: readonly LineJson[];
}

/** The lines of a session of several services. */
export function linesOf(row: SqlRow): { readonly lines?: readonly Line[] } {
  if (row['lines'] === null) return {};
  return { lines: (JSON.parse(text(row['lines'])) as LineJson[]).map(lineOf) };
}

/** Lines as a column; null when there is one service. */
export function printLines(lines: readonly Line[] | undefined): string | null {
  return lines === undefined ? null : JSON.stringify(lines.map(lineToJson));
}

/** What `printBought` wrote. */
export function parseBought(column: string): Bought {
  const { calls, total_msat: total, expires_at_ms: end, lines } = JSON.parse(column) as BoughtJson;
  const bought = { calls, totalMsat: parseMsat(total), expiresAtMs: unixMs(end) };
  return lines === undefined ? bought : { ...bought, lines: lines.map(lineOf) };
}

/** What a session has bought with its top-ups, as a column; null when there was none. */
export function printBought(bought: Bought | undefined): string | null {
  if (bought === undefined) return null;
  const { calls, totalMsat, expiresAtMs, lines } = bought;
  const json: BoughtJson = { calls, total_msat: `${totalMsat}`, expires_at_ms: expiresAtMs };
  return JSON.stringify(lines === undefined ? json : { ...json, lines: lines.map(lineToJson) });
}

function lineOf({ service, calls, total_msat: total }: LineJson): Line {
  return { service, calls, totalMsat: parseMsat(total) };
}

function lineToJson({ service, calls, totalMsat }: Line): LineJson {
  return { service, calls, total_msat: `${totalMsat}` };
}
