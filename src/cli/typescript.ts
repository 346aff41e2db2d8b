/**
 * Foreign texts inside of TypeScript: whatever they say, they stay comments, names and strings.
 * @module
 */
import { MAX_COMMENT } from './limits.ts';

/** A string literal. */
export function quoted(text: string): string {
  const plain = JSON.stringify(text)
    .slice(1, -1)
    .replaceAll("'", String.raw`\'`);
  return `'${plain.replaceAll(String.raw`\"`, '"').replaceAll(STRANGE, escaped)}'`;
}

/** The name of a property: bare where it can be, else quoted. */
export function propertyName(name: string): string {
  return /^[A-Za-z_]\w{0,63}$/.test(name) ? name : quoted(name);
}

/** A doc comment of one or more lines, indented. */
export function commentText(text: string, indent: string): string {
  const lines = text
    .slice(0, MAX_COMMENT)
    .split(/\r?\n|\r/)
    .map((line) =>
      line.replaceAll(STRANGE, ' ').replaceAll('*/', '* /').replaceAll('@', '@ ').trim(),
    )
    .filter((line) => line !== '');
  if (lines.length < 2) return `${indent}/** ${lines[0] ?? ''} */`;
  return [`${indent}/**`, ...lines.map((line) => `${indent} * ${line}`), `${indent} */`].join('\n');
}

/** All that a reader cannot see or that turns text around. */
const STRANGE = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu;

function escaped(text: string): string {
  return [...Array(text.length).keys()]
    .map((i) => String.raw`\u` + text.charCodeAt(i).toString(16).padStart(4, '0'))
    .join('');
}
