/**
 * QR codes on a terminal: two rows of modules in one line of half blocks.
 * @module
 */
import { encodeQR } from 'qr';

/** Modules around the code: readers find it by its quiet zone. */
const QUIET_MODULES = 2;

/** What is known of where a code is shown. */
export interface Canvas {
  readonly columns: number;
  /** Dark on light whatever the theme; without it a dark background is assumed. */
  readonly colours: boolean;
}

/**
 * The lines of a QR code; undefined where they would not fit. A text of capitals and digits makes
 * the smallest code.
 */
export function qrLines(text: string, { columns, colours }: Canvas): readonly string[] | undefined {
  const modules = encodeQR(text, 'raw', { ecc: 'low', border: QUIET_MODULES });
  if (modules.length > columns) return undefined;
  const rows = Array.from({ length: Math.ceil(modules.length / 2) }, (_, i) => i * 2);
  return rows.map((y) => {
    const line = modules.map((_, x) => {
      const [upper, lower] = [modules[y]?.[x] ?? false, modules[y + 1]?.[x] ?? false];
      return colours ? BLOCKS[half(upper, lower)] : BLOCKS[half(!upper, !lower)];
    });
    return colours ? `${BLACK_ON_WHITE}${line.join('')}${RESET}` : line.join('');
  });
}

/** Nothing, the upper half, the lower half, both. */
const BLOCKS = [' ', '▀', '▄', '█'] as const;
const ESCAPE = String.fromCodePoint(27);
const BLACK_ON_WHITE = `${ESCAPE}[30;107m`;
const RESET = `${ESCAPE}[0m`;

function half(upper: boolean, lower: boolean): 0 | 1 | 2 | 3 {
  if (upper) return lower ? 3 : 1;
  return lower ? 2 : 0;
}

/** What a terminal can show; undefined where there is none. */
export function canvasOf(stream: NodeJS.WriteStream): Canvas | undefined {
  if (!stream.isTTY || process.env['TERM'] === 'dumb') return undefined;
  return { columns: stream.columns, colours: stream.hasColors() };
}
