/**
 * What a host says of itself: documents whose bytes are made once and kept, each with an ETag.
 * @module
 */
import { toHex, utf8 } from '../base/bytes/index.ts';
import { Fault } from '../base/fault/index.ts';
import { sha256 } from '../base/hash/index.ts';
import { parseJson, type Json } from '../base/json/index.ts';
import { DESCRIPTION_PATH, type Description } from '../wire/toll/index.ts';
import { MAX_DESCRIPTION_BYTES } from './limits.ts';
import type { HostRequest, HostResponse } from './message.ts';
import { openApi } from './openapi.ts';
import { openRpc } from './openrpc.ts';

/** A page for people, and the headers that keep it safe. */
export interface Page {
  readonly html: Uint8Array;
  /** Such as its content security policy. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Makes the page of a host; everything in a description is text to it, never markup. */
export type PageMaker = (description: Description) => Page;

/** A document that is ready to be sent. */
interface Document {
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** All documents of a host. */
export class Documents {
  readonly #byPath: ReadonlyMap<string, Document>;
  readonly #page: Document | undefined;

  /** @throws Fault `CONFIG_INVALID` for a description that payers would not read */
  constructor(description: Description, makePage?: PageMaker) {
    const text = JSON.stringify(description);
    assertReadable(text);
    this.#byPath = new Map([
      ['/', document(JSON.stringify(LINKS), { ...JSON_HEADERS, ...LINK_HEADERS })],
      [DESCRIPTION_PATH, document(text, JSON_HEADERS)],
      ['/openrpc.json', document(JSON.stringify(openRpc(description)), JSON_HEADERS)],
      ['/openapi.json', document(JSON.stringify(openApi(description)), JSON_HEADERS)],
    ]);
    if (makePage === undefined) return;
    const { html, headers } = makePage(description);
    this.#page = document(html, { ...HTML_HEADERS, ...LINK_HEADERS, ...headers });
  }

  /** The answer to a request for a document; undefined where there is none. */
  answer(request: HostRequest): HostResponse | undefined {
    const people = request.path === '/' && wantsHtml(request.header('accept'));
    const found = (people ? this.#page : undefined) ?? this.#byPath.get(request.path);
    if (found === undefined) return undefined;
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      throw new Fault('REQUEST_METHOD', { allow: 'GET, HEAD' });
    }
    const { body, headers } = found;
    const known = isKnown(request.header('if-none-match'), headers['etag'] ?? '');
    return known
      ? { status: 304, headers, body: new Uint8Array(0) }
      : { status: 200, headers, body };
  }
}

/** Where a program finds the rest. */
const LINKS: Json = {
  description: DESCRIPTION_PATH,
  openrpc: '/openrpc.json',
  openapi: '/openapi.json',
};
const JSON_HEADERS = { 'content-type': 'application/json', 'cache-control': 'no-cache' };
const HTML_HEADERS = { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache' };
/** RFC 8631. */
const LINK_HEADERS = {
  vary: 'accept',
  link: `<${DESCRIPTION_PATH}>; rel="describedby", </openapi.json>; rel="service-desc"`,
};

function document(content: string | Uint8Array, headers: Record<string, string>): Document {
  const body = typeof content === 'string' ? utf8(content) : content;
  const etag = `"${toHex(sha256(body)).slice(0, 32)}"`;
  return { body, headers: { ...headers, etag } };
}

function assertReadable(text: string): void {
  try {
    parseJson(text);
  } catch (error) {
    throw new Fault('CONFIG_INVALID', { problem: 'the description is not JSON' }, error);
  }
  if (utf8(text).length > MAX_DESCRIPTION_BYTES) {
    throw new Fault('CONFIG_INVALID', { problem: 'the description is too large' });
  }
}

/** True when HTML is named as acceptable: a program that takes anything gets JSON. */
function wantsHtml(accept = ''): boolean {
  return accept.split(',').some((part) => {
    const [type = '', ...parameters] = part.split(';').map((word) => word.trim().toLowerCase());
    const refused = parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
    return type === 'text/html' && !refused;
  });
}

/** RFC 9110, 13.1.2: weak comparison, a list, or `*`. */
function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const tags = ifNoneMatch.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes('*') || tags.includes(etag);
}
