/**
 * JSON that means one thing only: no repeated keys, bounded depth, well-formed text; and its
 * canonical form (RFC 8785) for hashing.
 * @module
 */
import canonicalize from 'canonicalize';
import { fromUtf8, utf8, type Bytes } from '../bytes/index.ts';
import { Fault } from '../fault/index.ts';

/** A JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
/** A JSON object. */
export interface JsonObject {
  readonly [key: string]: Json;
}

/** Deeper nesting is refused: recursion over a value stays far from the end of the stack. */
export const MAX_JSON_DEPTH = 64;

/**
 * Members of one object; more is refused before it is parsed. A megabyte of them would hold up
 * everybody for a second, a hundred times longer than a megabyte of anything else.
 */
export const MAX_JSON_MEMBERS = 10_000;

/**
 * Parses a text, or its UTF-8 bytes; a number beyond IEEE 754 is refused.
 * @throws Fault `JSON_MALFORMED`
 */
export function parseJson(source: string | Uint8Array): Json {
  let value: Json;
  let members: number;
  try {
    const text = typeof source === 'string' ? source : fromUtf8(source, 'JSON text');
    members = scanMembers(text);
    value = JSON.parse(text) as Json;
  } catch {
    throw new Fault('JSON_MALFORMED');
  }
  // JSON.parse keeps the last of repeated keys, so the text then has more members than the value.
  if (countMembers(value, 0) !== members) throw new Fault('JSON_MALFORMED');
  return value;
}

/**
 * The canonical form (RFC 8785, JCS) as UTF-8 bytes.
 * @throws Fault `JSON_MALFORMED` for what JSON cannot say
 */
export function canonicalJson(value: Json): Bytes {
  return utf8(canonicalText(value));
}

/** The same as a text. @throws Fault `JSON_MALFORMED` for what JSON cannot say */
export function canonicalText(value: Json): string {
  try {
    const text = isInOrder(value) ? JSON.stringify(value) : canonicalize(value);
    if (text === undefined) throw new Fault('JSON_MALFORMED');
    return text;
  } catch {
    throw new Fault('JSON_MALFORMED');
  }
}

/** The value as an object. @throws Fault `JSON_MALFORMED` */
export function jsonObject(value: Json | undefined): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Fault('JSON_MALFORMED');
  }
  return value as JsonObject;
}

/** A member that must be a text. @throws Fault `JSON_MALFORMED` naming it */
export function textMember(object: JsonObject, name: string): string {
  const value = object[name];
  if (typeof value !== 'string') throw new Fault('JSON_MALFORMED', { name });
  return value;
}

/**
 * True for a plain value whose members stand in the order of RFC 8785 already, at every depth: the
 * canonical form is then what JSON.stringify prints, many times faster.
 */
function isInOrder(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed();
    case 'number':
      return Number.isFinite(value);
    case 'boolean':
      return true;
    case 'object':
      return value === null || hasOrder(value);
    case 'bigint':
    case 'function':
    case 'symbol':
    case 'undefined':
      return false;
  }
}

function hasOrder(value: object): boolean {
  if (Array.isArray(value))
    return Object.getPrototypeOf(value) === Array.prototype && value.every(isInOrder);
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  let last: string | undefined;
  for (const key of Object.keys(value)) {
    // Both orders are by UTF-16 code unit.
    if (last !== undefined && key <= last) return false;
    if (!key.isWellFormed() || !isInOrder((value as JsonObject)[key])) return false;
    last = key;
  }
  return true;
}

/** Members of all objects; refuses ill-formed Unicode, infinity and deep nesting on the way. */
function countMembers(value: Json, depth: number): number {
  if (typeof value === 'string') return wellFormed(value);
  // `1e400` parses to Infinity, which JSON cannot say again.
  if (typeof value === 'number' && !Number.isFinite(value)) throw new Fault('JSON_MALFORMED');
  if (typeof value !== 'object' || value === null) return 0;
  if (depth >= MAX_JSON_DEPTH) throw new Fault('JSON_MALFORMED');
  if (Array.isArray(value)) {
    const items: readonly Json[] = value;
    return items.reduce<number>((count, item) => count + countMembers(item, depth + 1), 0);
  }
  let count = 0;
  for (const key of Object.keys(value)) {
    const member = (value as JsonObject)[key] ?? null;
    count += 1 + wellFormed(key) + countMembers(member, depth + 1);
  }
  return count;
}

function wellFormed(text: string): 0 {
  if (!text.isWellFormed()) throw new Fault('JSON_MALFORMED');
  return 0;
}

/**
 * Members of all objects as they were written, if the text is JSON: colons outside of strings.
 * Refuses what would be too deep or too wide.
 */
function scanMembers(text: string): number {
  /** Members of the values around the innermost one that is open, and its own. */
  const outer: number[] = [];
  let own = 0;
  let count = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (inString) {
      if (char === 0x5c) i++;
      else if (char === 0x22) inString = false;
      continue;
    }
    switch (char) {
      case 0x22:
        inString = true;
        break;
      case 0x3a:
        count++;
        if (++own > MAX_JSON_MEMBERS) throw new Fault('JSON_MALFORMED');
        break;
      case 0x5b:
      case 0x7b:
        if (outer.push(own) > MAX_JSON_DEPTH) throw new Fault('JSON_MALFORMED');
        own = 0;
        break;
      case 0x5d:
      case 0x7d:
        own = outer.pop() ?? 0;
        break;
    }
  }
  return count;
}
