/**
 * Reads TypeScript just well enough to check its shape: tells code from comments and strings, and
 * finds imports and exports. No parser is needed, since the formatter fixes the layout.
 * @module
 */

/** A file as its checks see it. Both texts have the same length and lines. */
export interface Source {
  readonly path: string;
  readonly text: string;
  /** The text with comments and the insides of strings and patterns blanked out. */
  readonly code: string;
}

/** Something that does not fit the rules. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  /** One word; an exception names it. */
  readonly rule: string;
  readonly message: string;
}

/** An import or re-export of a module. */
export interface Import {
  readonly specifier: string;
  readonly line: number;
}

/** A file made ready for checking. */
export function readSource(path: string, text: string): Source {
  return { path, text, code: maskSource(text) };
}

/** The number of the line, from 1, that holds a position. */
export function lineAt(text: string, position: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < position; at = text.indexOf('\n', at + 1)) {
    line += 1;
  }
  return line;
}

/** Every module that a file imports: static, re-exported, for its types, or at run time. */
export function importsOf({ text, code }: Source): Import[] {
  const found = code.matchAll(
    /\b(?:import|export)\b[^;'"`()]*?\bfrom\s*(['"])|\bimport\s*\(?\s*(['"])/g,
  );
  return [...found].map((match) => {
    const start = match.index + match[0].length;
    const end = text.indexOf(match[1] ?? match[2] ?? '', start);
    return { specifier: text.slice(start, end), line: lineAt(text, match.index) };
  });
}

/** What follows a value; a slash after anything else opens a pattern. */
const VALUE_END = /[\w$)\]}'"`]$/;
const OPERATOR_WORD = /\b(return|typeof|case|in|of|void|delete|await|yield)$/;

/** Where a token that is no code ends (exclusive), given where it starts; undefined: it is code. */
function endOfMasked(text: string, at: number, before: string): number | undefined {
  const here = text[at];
  if (text.startsWith('//', at) || (at === 0 && text.startsWith('#!'))) return lineEnd(text, at);
  if (text.startsWith('/*', at)) return after(text, '*/', at + 2);
  if (here === "'" || here === '"') return endOfQuoted(text, at, here);
  if (here === '/' && (!VALUE_END.test(before) || OPERATOR_WORD.test(before))) {
    return endOfPattern(text, at);
  }
  return undefined;
}

function maskSource(text: string): string {
  let code = '';
  /** For each open template literal, how many braces are open in its current `${`. */
  const templates: number[] = [];
  for (let at = 0; at < text.length;) {
    const end = endOfMasked(text, at, code.slice(-12).trimEnd());
    if (end !== undefined) {
      code += blank(text.slice(at, end));
      at = end;
      continue;
    }
    const here = text[at] ?? '';
    const depth = templates.at(-1);
    if (here === '{' && depth !== undefined) templates[templates.length - 1] = depth + 1;
    if (here === '}' && depth !== undefined && depth > 0)
      templates[templates.length - 1] = depth - 1;
    const reenters = here === '}' && depth === 0;
    if (here !== '`' && !reenters) {
      code += here;
      at += 1;
      continue;
    }
    const stop = endOfTemplatePart(text, at + 1);
    code += `${here}${blankInside(text.slice(at + 1, stop))}`;
    if (text[stop - 1] === '`') {
      if (reenters) templates.pop();
    } else if (!reenters) templates.push(0);
    at = stop;
  }
  return code;
}

/** The end of a template's text: after its closing backtick, or after the `${` that opens code. */
function endOfTemplatePart(text: string, start: number): number {
  for (let at = start; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '`') return at + 1;
    else if (text.startsWith('${', at)) return at + 2;
  }
  return text.length;
}

function endOfQuoted(text: string, start: number, quote: string): number {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === quote || text[at] === '\n') return at + 1;
  }
  return text.length;
}

function endOfPattern(text: string, start: number): number {
  let inClass = false;
  for (let at = start + 1; at < text.length && text[at] !== '\n'; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '[') inClass = true;
    else if (text[at] === ']') inClass = false;
    else if (text[at] === '/' && !inClass) return at + 1;
  }
  return lineEnd(text, start);
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end;
}

function after(text: string, mark: string, at: number): number {
  const found = text.indexOf(mark, at);
  return found < 0 ? text.length : found + mark.length;
}

/** Spaces for everything but line ends; a quoted text keeps its quotes. */
function blank(part: string): string {
  const quoted = part.startsWith("'") || part.startsWith('"');
  if (!quoted || part.length < 2) return part.replaceAll(/[^\n]/g, ' ');
  return `${part[0]}${blankInside(part.slice(1))}`;
}

/** Spaces up to the last character, which closes the part. */
function blankInside(part: string): string {
  const closing = part.endsWith('${') ? '${' : part.slice(-1);
  return part.slice(0, part.length - closing.length).replaceAll(/[^\n]/g, ' ') + closing;
}
