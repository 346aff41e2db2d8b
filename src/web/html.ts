/**
 * Markup in which every value is text: what is put into a template is escaped, markup alone is not.
 * @module
 */

/** Markup that was made by `html`. */
export class Markup {
  readonly text: string;

  /** Use `html`: what is given here is believed. */
  constructor(text: string) {
    this.text = text;
  }
}

/** What can stand in a template. */
export type Value = string | number | Markup | readonly Markup[];

/** A template whose values are escaped, for text and for attributes in double quotes. */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Markup {
  const text = parts.reduce((before, part, i) => before + print(values[i - 1] ?? '') + part);
  return new Markup(text);
}

function print(value: Value): string {
  if (value instanceof Markup) return value.text;
  if (typeof value === 'object') return value.map((markup) => markup.text).join('');
  return escapeHtml(`${value}`);
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
