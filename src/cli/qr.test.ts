/**
 * QR codes on a terminal: read back by a decoder, as a phone would.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeQR } from 'qr/decode.js';
import { qrLines } from './qr.ts';

const INVOICE = `LNBCRT40N1${'QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L'.repeat(8)}`;
const CONTROL = new RegExp(`${String.fromCodePoint(27)}\\[[\\d;]*m`, 'g');

test('a code can be read again, in colours and without', () => {
  for (const colours of [true, false]) {
    const lines = qrLines(INVOICE, { columns: 80, colours })!;
    assert.equal(scan(lines, colours), INVOICE);
    assert.equal(new Set(lines.map((line) => line.replaceAll(CONTROL, '').length)).size, 1);
  }
});

test('without colours there is no control character, and no code where it does not fit', () => {
  const lines = qrLines(INVOICE, { columns: 80, colours: false })!;
  assert.doesNotMatch(lines.join(''), CONTROL);
  const width = lines[0]!.length;
  assert.ok(qrLines(INVOICE, { columns: width, colours: false }));
  assert.equal(qrLines(INVOICE, { columns: width - 1, colours: false }), undefined);
});

/** The picture of the lines, four pixels a module, through a decoder. */
function scan(lines: readonly string[], inkIsDark: boolean): string {
  const rows = lines.flatMap((line) => {
    const cells = line.replaceAll(CONTROL, '').split('');
    return [cells.map((cell) => '▀█'.includes(cell)), cells.map((cell) => '▄█'.includes(cell))];
  });
  const size = rows[0]!.length;
  const scale = 4;
  const side = size * scale;
  const data = new Uint8ClampedArray(side * side * 4).fill(255);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const ink = rows[Math.floor(y / scale)]![Math.floor(x / scale)]!;
      if (ink === inkIsDark) data.fill(0, (y * side + x) * 4, (y * side + x) * 4 + 3);
    }
  }
  return decodeQR({ width: side, height: side, data });
}
