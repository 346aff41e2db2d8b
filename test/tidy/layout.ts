/**
 * What one file looks like: sizes, names, comments, what it may not contain.
 * @module
 */
import { CODE_BANS, EMPTY_NAMES, FILE_MAX_LINES, LINE_MAX_COLUMNS, TEXT_BANS } from './house.ts';
import { lineAt, type Problem, type Source } from './source.ts';

type Found = Pick<Problem, 'line' | 'rule' | 'message'>;

/** Checks that hold for a file of code. */
export function checkSource(source: Source): Problem[] {
  const found = [
    ...checkSizes(source),
    ...checkCodeBans(source),
    ...checkComments(source),
    ...checkDoor(source),
  ];
  return found.map((problem) => ({ file: source.path, ...problem }));
}

/** Checks that hold for any text file. */
export function checkText(path: string, text: string): Problem[] {
  const bans = TEXT_BANS.filter((ban) => ban.within.test(path) && !ban.except?.test(path));
  return text.split('\n').flatMap((content, i) =>
    bans
      .filter((ban) => ban.text.test(content))
      .map((ban) => ({
        file: path,
        line: i + 1,
        rule: 'text',
        message: `'${ban.text.exec(content)?.[0]}' is banned: ${ban.instead}`,
      })),
  );
}

/** Checks the names on a path; a folder's name is reported once, at the folder. */
export function checkNames(paths: Iterable<string>): Problem[] {
  const folders = new Set<string>();
  const problems: Problem[] = [];
  const check = (path: string, stem: string): void => {
    if (!EMPTY_NAMES.test(stem)) return;
    const message = `'${stem}' says nothing: name it after what it holds`;
    problems.push({ file: path, line: 1, rule: 'name', message });
  };
  for (const path of paths) {
    const parts = path.split('/');
    const file = parts.pop() ?? '';
    check(path, file.split('.')[0] ?? '');
    for (const [i, name] of parts.entries()) {
      const folder = parts.slice(0, i + 1).join('/');
      if (!folders.has(folder)) check(folder, name);
      folders.add(folder);
    }
  }
  return problems;
}

function checkSizes({ text }: Source): Found[] {
  const lines = text.trimEnd().split('\n');
  const found = lines
    .map((content, i) => ({ content, line: i + 1 }))
    .filter(({ content }) => content.length > LINE_MAX_COLUMNS && !/https?:\/\//.test(content))
    .map(({ content, line }) => ({
      line,
      rule: 'size',
      message: `the line has ${content.length} columns, limit ${LINE_MAX_COLUMNS}`,
    }));
  if (lines.length <= FILE_MAX_LINES) return found;
  const message = `the file has ${lines.length} lines, limit ${FILE_MAX_LINES}`;
  return [...found, { line: FILE_MAX_LINES, rule: 'size', message }];
}

function checkCodeBans({ path, code }: Source): Found[] {
  const bans = CODE_BANS.filter((ban) => ban.within.test(path) && !ban.except?.test(path));
  return bans.flatMap((ban) =>
    [...code.matchAll(new RegExp(ban.text, 'g'))].map((match) => ({
      line: lineAt(code, match.index),
      rule: 'ban',
      message: `'${match[0]}' is banned here: ${ban.instead}`,
    })),
  );
}

const MODIFIERS = 'default |declare |abstract |async ';
const KINDS = 'function|function\\*|class|const|let|type|interface|enum|namespace';
const DECLARATION = new RegExp(`^export (?:${MODIFIERS})*(?:${KINDS}) (\\w+)`);

/** A module comment at the top, and a doc comment on each export (on the first of overloads). */
function checkComments({ path, text, code }: Source): Found[] {
  if (path.endsWith('.d.ts')) return [];
  const found: Found[] = [];
  const head = /^(?:#!.*\n)?\/\*\*([\s\S]*?)\*\//.exec(text)?.[1];
  if (head === undefined || !head.includes('@module')) {
    const message = 'the file starts with no module comment (/** what it is for. @module */)';
    found.push({ line: 1, rule: 'comment', message });
  }
  const lines = text.split('\n');
  const codeLines = code.split('\n');
  let previous = '';
  for (const [i, content] of codeLines.entries()) {
    const name = DECLARATION.exec(content)?.[1];
    if (name === undefined) continue;
    const above = lines.slice(0, i).findLast((line) => line.trim() !== '' && !line.startsWith('@'));
    if (name !== previous && !isDocEnd(lines, above)) {
      const message = `the export ${name} has no doc comment`;
      found.push({ line: i + 1, rule: 'comment', message });
    }
    previous = name;
  }
  return found;
}

/** True for the last line of a doc comment that is not the module comment. */
function isDocEnd(lines: readonly string[], above: string | undefined): boolean {
  if (above === undefined || !above.trimEnd().endsWith('*/')) return false;
  const end = lines.lastIndexOf(above);
  const start = lines.findLastIndex((line, i) => i <= end && line.trimStart().startsWith('/**'));
  return start >= 0 && !lines.slice(start, end + 1).some((line) => line.includes('@module'));
}

const RE_EXPORT = /\bexport\s+(type\s+)?(\{[^}]*\}|\*(\s+as\s+\w+)?)\s*from\s*'\s*';/g;

/** A room's door has no code of its own. */
function checkDoor({ path, code }: Source): Found[] {
  if (!/^src\/.*\/index\.ts$/.test(path)) return [];
  const rest = code.replaceAll(RE_EXPORT, '');
  if (rest.trim() === '') return [];
  const line = lineAt(code, Math.max(0, code.indexOf(rest.trim().split('\n')[0] ?? '')));
  return [{ line, rule: 'door', message: 'index.ts holds re-exports only' }];
}
