/**
 * `node bench/chart.ts FILE`: draws `docs/performance.svg` from what `npm run bench -- --json FILE`
 * has found: how each figure stands to its aim.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Row } from './harness.ts';

const [LINE, LABEL, PLOT, RIGHT] = [26, 720, 300, 90];
const WIDTH = LABEL + PLOT + RIGHT;
/** The aim stands here; a figure twice as good ends at the right edge. */
const AIM_AT = LABEL + PLOT / 2;

const { rows } = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as { rows: Row[] };
const height = (rows.length + 2) * LINE;
const lines = [
  `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" ` +
    `viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
  '<title>Figures of the bench, each against its aim</title>',
  `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
  `<text x="${AIM_AT}" y="18" text-anchor="middle" fill="#333333">aim</text>`,
  ...rows.flatMap(draw),
  `<line x1="${AIM_AT}" x2="${AIM_AT}" y1="${LINE}" y2="${height - LINE}" stroke="#333333"/>`,
  '</svg>',
];
writeFileSync(new URL('../docs/performance.svg', import.meta.url), `${lines.join('\n')}\n`);

function draw(row: Row, i: number): string[] {
  const y = (i + 1) * LINE;
  const good = row.better === 'higher' ? row.value / row.aim : row.aim / row.value;
  const length = Math.min(2, good) * (PLOT / 2);
  const middle = y + LINE / 2 + 4;
  const name = escape(`${row.name} / ${row.against}`);
  return [
    `<text x="${LABEL - 8}" y="${middle}" text-anchor="end" fill="#333333">${name}</text>`,
    `<rect x="${LABEL}" y="${y + 5}" width="${length.toFixed(1)}" height="${LINE - 10}" ` +
      `fill="${good >= 1 ? '#2a7f4f' : '#b8552b'}"/>`,
    `<text x="${LABEL + PLOT + 8}" y="${middle}" fill="#333333">${figure(row.value)}</text>`,
  ];
}

function figure(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(2);
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
