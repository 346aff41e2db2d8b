/**
 * A page of the documents, taken apart: headings, links, code blocks, and what a reader does with
 * them, in order.
 * @module
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The top of the repository. */
export const ROOT = join(import.meta.dirname, '..', '..');

/** A fenced block of code. */
export interface Block {
  readonly language: string;
  readonly lines: readonly string[];
  /** Of its first line in the page. */
  readonly at: number;
}

/** What a reader types. */
export interface Command {
  readonly line: string;
  /** What the page shows below it. */
  readonly shown: readonly string[];
  readonly at: number;
}

/** What a reader writes into a file. */
export interface Program {
  readonly file: string;
  readonly text: string;
}

/** All Markdown files that belong to the project. */
export function allPages(): readonly string[] {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'];
  const listed = execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' });
  return listed
    .split('\n')
    .filter((name) => name !== '')
    .toSorted();
}

/** The lines of a page. */
export function linesOf(page: string): readonly string[] {
  return readFileSync(join(ROOT, page), 'utf8').split('\n');
}

/** The fenced blocks of a page. */
export function blocksOf(page: string): readonly Block[] {
  const blocks: Block[] = [];
  let open: { language: string; lines: string[]; at: number } | undefined;
  for (const [i, line] of linesOf(page).entries()) {
    const fence = /^```(.*)$/.exec(line);
    if (fence === null) open?.lines.push(line);
    else if (open === undefined) open = { language: fence[1] ?? '', lines: [], at: i + 2 };
    else {
      blocks.push(open);
      open = undefined;
    }
  }
  return blocks;
}

/** Everything outside of blocks, without `code` in the line. */
export function proseOf(page: string): string {
  const text = linesOf(page).join('\n');
  return text.replaceAll(/^```.*\n[\s\S]*?^```$/gm, '').replaceAll(/`[^`\n]*`/g, '');
}

/** The anchors of a page's headings, as GitHub makes them. */
export function anchorsOf(page: string): ReadonlySet<string> {
  const text = linesOf(page)
    .join('\n')
    .replaceAll(/^```.*\n[\s\S]*?^```$/gm, '');
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
  return new Set(headings.map((heading) => anchorOf(heading)));
}

function anchorOf(heading: string): string {
  const plain = heading.replaceAll(/[`*]/g, '').toLowerCase();
  return plain.replaceAll(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-');
}

/** What a reader does with a block: types commands, writes a file, or nothing. */
export function stepsOf(block: Block): readonly (Command | Program)[] {
  switch (block.language) {
    case 'sh':
      return typed(block);
    case '':
    case 'console':
      return transcript(block);
    case 'ts':
    case 'js':
      return programs(block);
    default:
      return [];
  }
}

/** Each line is a command; what stands after two spaces and # is for the reader. */
function typed({ lines, at }: Block): readonly Command[] {
  return lines.flatMap((line, i) => {
    const command = line.replace(/\s+#.*$/, '').trim();
    return command === '' || command.startsWith('#')
      ? []
      : [{ line: command, shown: [], at: at + i }];
  });
}

/** Lines that begin with `$ ` are typed; what follows is what the terminal shows. */
function transcript({ lines, at }: Block): readonly Command[] {
  const commands: { line: string; shown: string[]; at: number }[] = [];
  for (const [i, line] of lines.entries()) {
    if (!line.startsWith('$ ')) commands.at(-1)?.shown.push(line);
    else {
      commands.push({ line: line.slice(2).replace(/\s+#.*$/, ''), shown: [], at: at + i });
    }
  }
  return commands;
}

/** A program that names its file in its first line, or is a configuration. */
function programs({ lines }: Block): readonly Program[] {
  const text = `${lines.join('\n')}\n`;
  const named = /^\/\/ ([\w.-]+\.(?:ts|js|mjs))$/.exec(lines[0] ?? '');
  if (named !== null) return [{ file: named[1] ?? '', text }];
  return text.includes('export default defineConfig(')
    ? [{ file: 'tollcall.config.ts', text }]
    : [];
}
