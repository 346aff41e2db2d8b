/**
 * TypeScript types out of JSON Schemas that somebody else wrote: objects, arrays, tuples, enums,
 * unions, intersections, records and references, recursive ones too. What cannot be said, or is too
 * large, is `unknown`: the text always compiles, whatever the schema.
 * @module
 */
import type { Json, JsonObject } from '../base/json/index.ts';
import { MAX_ENUM, MAX_SCHEMA_CHARS, MAX_TYPE_DEPTH, MAX_TYPES, MAX_UNION } from './limits.ts';
import { commentText, propertyName, quoted } from './typescript.ts';

/** Names that are taken in the module that is being made. */
export class TypeNames {
  readonly #taken: Set<string>;

  constructor(...taken: readonly string[]) {
    this.#taken = new Set(taken);
  }

  /** The name that was asked for, in Pascal case, or the first free one like it. */
  take(...words: readonly string[]): string {
    const parts = words.flatMap((word) => word.split(/[^A-Za-z0-9]+/)).filter((part) => part);
    const name = parts.map((part) => part.slice(0, 1).toUpperCase() + part.slice(1, 64)).join('');
    const wanted = /^[A-Z]/.test(name) ? name : `T${name}`;
    for (let i = 1; ; i++) {
      const free = i === 1 ? wanted : `${wanted}${i}`;
      if (this.#taken.has(free)) continue;
      this.#taken.add(free);
      return free;
    }
  }
}

/** A type as text; `wide` when it needs parentheses beside an operator. */
interface TypeText {
  readonly text: string;
  readonly wide: boolean;
}

const UNKNOWN: TypeText = { text: 'unknown', wide: false };

/** Declares a schema and what it refers to; the first declaration is the schema itself. */
export function declareTypes(schema: Json, name: string, names: TypeNames): readonly string[] {
  return new Declarer(schema, name, names).declare();
}

class Declarer {
  #root: Json;
  readonly #names: TypeNames;
  /** By reference, such as `#/$defs/node`. Each becomes a declaration once. */
  readonly #named = new Map<string, string>();
  /** What the declaration under way is for: its own reference, directly, would be circular. */
  #current = '#';

  constructor(root: Json, name: string, names: TypeNames) {
    this.#root = root;
    this.#names = names;
    this.#named.set('#', name);
  }

  declare(): readonly string[] {
    if (JSON.stringify(this.#root).length > MAX_SCHEMA_CHARS) this.#root = true;
    const declared: string[] = [];
    // Grows while it is walked: a declaration may refer to others.
    for (const [reference, name] of this.#named) {
      this.#current = reference;
      const schema = this.#find(reference) ?? true;
      const { text } = this.#print(schema, { depth: 0, indent: '', guarded: false });
      declared.push(`${comment(schema, '')}export type ${name} = ${text};`);
    }
    return declared;
  }

  #print(schema: Json, at: Place): TypeText {
    if (schema === false) return { text: 'never', wide: false };
    if (!isObject(schema) || at.depth > MAX_TYPE_DEPTH) return UNKNOWN;
    if (this.#width(schema, { left: MAX_UNION }) > MAX_UNION) return UNKNOWN;
    const parts = [
      ...this.#reference(schema, at),
      ...literals(schema),
      ...this.#unions(schema, at),
      ...this.#own(schema, at),
    ];
    const type = intersection(parts);
    return schema['nullable'] === true ? union([type, { text: 'null', wide: false }]) : type;
  }

  #reference({ $ref: reference }: JsonObject, at: Place): TypeText[] {
    if (typeof reference !== 'string') return [];
    const known = this.#named.get(reference);
    const target = this.#find(reference);
    if (target === undefined) return [UNKNOWN];
    // `type A = A`, by whatever detour, is no type.
    const circular = !at.guarded && this.#reaches(reference, this.#current, new Set());
    if (circular || (known === undefined && this.#named.size >= MAX_TYPES)) return [UNKNOWN];
    const [owner = ''] = this.#named.values();
    const name = known ?? this.#names.take(owner, reference.split('/').at(-1) ?? '');
    this.#named.set(reference, name);
    return [{ text: name, wide: false }];
  }

  #unions(schema: JsonObject, at: Place): TypeText[] {
    const deeper = { ...at, depth: at.depth + 1 };
    const alternatives = [schema['anyOf'], schema['oneOf']].flatMap((list) =>
      isList(list) && list.length > 0
        ? [union(list.map((item: Json) => this.#print(item, deeper)))]
        : [],
    );
    const all = schema['allOf'];
    const every = isList(all) ? all.map((item: Json) => this.#print(item, deeper)) : [];
    return [...alternatives, ...every];
  }

  /** What the keywords of the schema itself say. */
  #own(schema: JsonObject, at: Place): TypeText[] {
    if (schema['const'] !== undefined || isList(schema['enum'])) return [];
    const { type } = schema;
    const named = isList(type) ? type : type === undefined ? impliedTypes(schema) : [type];
    if (named.length === 0) return [];
    return [union(named.map((name: Json) => this.#typed(name, schema, at)))];
  }

  #typed(name: Json, schema: JsonObject, at: Place): TypeText {
    const inside = { ...at, depth: at.depth + 1, guarded: true };
    const kind = typeof name === 'string' ? name : 'none';
    switch (kind) {
      case 'string':
      case 'boolean':
      case 'null':
        return { text: kind, wide: false };
      case 'number':
      case 'integer':
        return { text: 'number', wide: false };
      case 'array':
        return this.#array(schema, inside);
      case 'object':
        return this.#object(schema, inside);
      default:
        return UNKNOWN;
    }
  }

  #array(schema: JsonObject, at: Place): TypeText {
    const { prefixItems, items, additionalItems, minItems } = schema;
    const tuple = isList(prefixItems) ? prefixItems : isList(items) ? items : undefined;
    if (tuple === undefined) {
      return { text: `readonly ${wrapped(this.#print(items ?? true, at))}[]`, wide: true };
    }
    const rest = isList(prefixItems) ? items : additionalItems;
    const needed = typeof minItems === 'number' ? minItems : 0;
    const places = tuple
      .slice(0, MAX_ENUM)
      .map((item: Json, i) => wrapped(this.#print(item, at)) + (i < needed ? '' : '?'));
    const open = tuple.length > MAX_ENUM || rest !== false;
    const tail = tuple.length > MAX_ENUM ? UNKNOWN : this.#print(rest ?? true, at);
    const all = [...places, ...(open ? [`...${wrapped(tail)}[]`] : [])];
    return { text: `readonly [${all.join(', ')}]`, wide: true };
  }

  #object(schema: JsonObject, at: Place): TypeText {
    const { properties, required, additionalProperties: others, patternProperties } = schema;
    const indent = `${at.indent}  `;
    const inside = { ...at, indent };
    const names: readonly Json[] = isList(required) ? required : [];
    const known = isObject(properties) ? Object.entries(properties) : [];
    const lines = known.map(([name, property]) => {
      const mark = names.includes(name) ? '' : '?';
      const { text } = this.#print(property, inside);
      return `${comment(property, indent)}${indent}readonly ${propertyName(name)}${mark}: ${text};`;
    });
    const open = others !== undefined || isObject(patternProperties) || known.length === 0;
    if (open && others !== false) {
      // Beside known properties an index must fit them all.
      const fits = known.length > 0 || isObject(patternProperties) ? true : (others ?? true);
      lines.push(`${indent}readonly [name: string]: ${this.#print(fits, inside).text};`);
    }
    if (lines.length === 0) return { text: '{ readonly [name: string]: never }', wide: false };
    return { text: `{\n${lines.join('\n')}\n${at.indent}}`, wide: false };
  }

  /** The schema that a reference into this document names; undefined for any other. */
  #find(reference: string): Json | undefined {
    if (reference !== '#' && !reference.startsWith('#/')) return undefined;
    let found: Json | undefined = this.#root;
    for (const part of reference.split('/').slice(1, MAX_TYPE_DEPTH)) {
      const name = unescape(part);
      if (!isObject(found) && !isList(found)) return undefined;
      found = Object.hasOwn(found, name) ? (found as JsonObject)[name] : undefined;
    }
    return found;
  }

  /** True when a type leads to another one without an object or array in between. */
  #reaches(from: string, to: string, seen: Set<string>): boolean {
    if (from === to || seen.size >= MAX_TYPES) return true;
    if (seen.has(from)) return false;
    seen.add(from);
    const next = directReferences(this.#find(from) ?? true, 0);
    return next.some((reference) => this.#reaches(reference, to, seen));
  }

  /** Into how many alternatives a type may unfold: the compiler has a limit. */
  #width(schema: Json, work: { left: number }): number {
    if (!isObject(schema)) return 1;
    if (--work.left < 0) return Infinity;
    const { $ref: reference, anyOf, oneOf, allOf, enum: values } = schema;
    const widths = (list: Json | undefined): readonly number[] =>
      isList(list) ? list.map((item: Json) => this.#width(item, work)) : [];
    const sum = (list: Json | undefined): number =>
      Math.max(
        1,
        widths(list).reduce((all, width) => all + width, 0),
      );
    const product = widths(allOf).reduce((all, width) => all * width, 1);
    const there =
      typeof reference === 'string' ? this.#width(this.#find(reference) ?? true, work) : 1;
    const own = isList(values) ? Math.max(1, values.length) : 1;
    return sum(anyOf) * sum(oneOf) * product * there * own;
  }
}

/** Where a type stands: how deep, and whether an object or array is around it. */
interface Place {
  readonly depth: number;
  /** Before each line of it. */
  readonly indent: string;
  readonly guarded: boolean;
}

/** The references of a schema that are not inside of an object or array. */
function directReferences(schema: Json, depth: number): string[] {
  if (!isObject(schema) || depth > MAX_TYPE_DEPTH) return [];
  const { $ref: reference, anyOf, oneOf, allOf } = schema;
  const nested = [anyOf, oneOf, allOf].flatMap((list) => (isList(list) ? list : []));
  return [
    ...(typeof reference === 'string' ? [reference] : []),
    ...nested.flatMap((item: Json) => directReferences(item, depth + 1)),
  ];
}

function literals(schema: JsonObject): TypeText[] {
  const { const: only, enum: values } = schema;
  if (only !== undefined) return [literal(only, 0)];
  if (!isList(values)) return [];
  if (values.length === 0) return [{ text: 'never', wide: false }];
  return values.length > MAX_ENUM ? [UNKNOWN] : [union(values.map((one: Json) => literal(one, 0)))];
}

function literal(value: Json, depth: number): TypeText {
  if (depth > MAX_TYPE_DEPTH) return UNKNOWN;
  if (typeof value === 'string') return { text: quoted(value), wide: false };
  if (typeof value !== 'object' || value === null) return { text: `${value}`, wide: false };
  if (isList(value)) {
    const items = value.slice(0, MAX_ENUM).map((item: Json) => literal(item, depth + 1).text);
    const rest = value.length > MAX_ENUM ? ['...unknown[]'] : [];
    return { text: `readonly [${[...items, ...rest].join(', ')}]`, wide: true };
  }
  const members = Object.entries(value).map(
    ([name, member]) => `readonly ${propertyName(name)}: ${literal(member, depth + 1).text}`,
  );
  return { text: `{ ${members.join('; ')} }`, wide: false };
}

/** Types that a schema without `type` speaks of all the same. */
function impliedTypes(schema: JsonObject): readonly string[] {
  if (isObject(schema['properties']) || isObject(schema['additionalProperties'])) return ['object'];
  return isList(schema['prefixItems']) || schema['items'] !== undefined ? ['array'] : [];
}

function union(types: readonly TypeText[]): TypeText {
  return joined(types, ' | ', 'never');
}

function intersection(types: readonly TypeText[]): TypeText {
  const telling = types.filter(({ text }) => text !== 'unknown');
  return joined(telling, ' & ', 'unknown');
}

function joined(types: readonly TypeText[], operator: string, none: string): TypeText {
  const distinct = [...new Map(types.map((type) => [type.text, type])).values()];
  const [only] = distinct;
  if (only === undefined) return { text: none, wide: false };
  if (distinct.length === 1) return only;
  return { text: distinct.map(wrapped).join(operator), wide: true };
}

function wrapped({ text, wide }: TypeText): string {
  return wide ? `(${text})` : text;
}

function comment(schema: Json, indent: string): string {
  const text = isObject(schema) ? schema['description'] : undefined;
  return typeof text === 'string' && text !== '' ? `${commentText(text, indent)}\n` : '';
}

function unescape(part: string): string {
  let plain = part;
  try {
    plain = decodeURIComponent(part);
  } catch {
    // Not a URI fragment: as it is.
  }
  return plain.replaceAll('~1', '/').replaceAll('~0', '~');
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}
