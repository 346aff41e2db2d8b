/**
 * Checks the shape of the project: imports, sizes, names, comments, bans. A pure function from the
 * files' texts to a list of problems; the rules are data in house.ts.
 * @module
 */
import { EXCEPTIONS, type Exception } from './house.ts';
import { checkImports } from './imports.ts';
import { checkNames, checkSource, checkText } from './layout.ts';
import { readSource, type Problem } from './source.ts';
import type { Tree } from './tree.ts';

/** Folders that hold code of the project. */
const CODE = /^(src|test|scripts|bench|bin|types)\/.*\.(ts|mjs)$/;

/** Every problem as `file:line: rule: message`, in the order of files and lines. */
export function tidy(tree: Tree, exceptions: readonly Exception[] = EXCEPTIONS): string[] {
  const sources = [...tree]
    .filter(([path]) => CODE.test(path))
    .map(([path, text]) => readSource(path, text));
  const problems = [
    ...[...tree].flatMap(([path, text]) => checkText(path, text)),
    ...checkNames(tree.keys()),
    ...sources.flatMap(checkSource),
    ...checkImports(sources),
  ];
  return [...withoutExceptions(problems, exceptions)]
    .toSorted((a, b) => a.file.localeCompare(b.file) || a.line - b.line)
    .map(({ file, line, rule, message }) => `${file}:${line}: ${rule}: ${message}`);
}

/** Drops what an exception covers; an exception that covers nothing is a problem of its own. */
function withoutExceptions(problems: Problem[], exceptions: readonly Exception[]): Problem[] {
  const covers = (exception: Exception, { file, rule }: Problem): boolean =>
    exception.file === file && exception.rule === rule;
  const left = problems.filter((problem) => !exceptions.some((one) => covers(one, problem)));
  const unused = exceptions.filter((one) => !problems.some((problem) => covers(one, problem)));
  return [
    ...left,
    ...unused.map(({ file, rule }) => ({
      file,
      line: 1,
      rule: 'exception',
      message: `'${rule}' needs no exception here any more: drop it from test/tidy/house.ts`,
    })),
  ];
}
