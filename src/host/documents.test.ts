/**
 * What a host says of itself, against the official schemas of OpenRPC and OpenAPI, and over HTTP as
 * caches and programs ask for it.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { registerSchema, validate } from '@hyperjump/json-schema/openapi-3-1';
import '@hyperjump/json-schema/draft-07';
import * as openRpcMeta from '@open-rpc/meta-schema';
import { z } from 'zod';
import { fromUtf8 } from '../base/bytes/index.ts';
import { FAULTS, isFault, isHostCode, type FaultCode } from '../base/fault/index.ts';
import type { Json } from '../base/json/index.ts';
import { msat } from '../base/money/index.ts';
import { priceToJson, type Description } from '../wire/toll/index.ts';
import { Documents, type Page } from './documents.ts';
import { service } from './service.ts';

const JSON_SCHEMA = 'http://json-schema.org/draft-07/schema';
const OPENRPC = 'https://meta.open-rpc.example/';

/** The published schema names its JSON Schema by an address of its own; it is draft 7. */
function openRpcSchema(): object {
  // Its types say nothing of what it exports.
  const { openrpcDocument } = openRpcMeta as unknown as { openrpcDocument: object };
  const schema = { ...openrpcDocument, $id: undefined };
  const text = JSON.stringify(schema)
    .replaceAll('https://meta.json-schema.tools/#/definitions/JSONSchemaObject', JSON_SCHEMA + '#')
    .replaceAll(/https:\/\/meta\.json-schema\.tools\/?/g, JSON_SCHEMA);
  return JSON.parse(text) as object;
}
registerSchema(openRpcSchema() as never, OPENRPC);

const node = z.object({
  value: z.int(),
  get next() {
    return node.optional();
  },
});

const SERVICES = [
  service('tree', {
    description: 'Turns a tree around. <b>Not markup</b>.',
    input: z.strictObject({ tree: node, depth: z.int().default(1), 'a/b~c d': z.string() }),
    output: node,
    price: { kind: 'root', unitMsat: msat(1000), minimumMsat: msat(2000) },
    handler: ({ tree }) => tree,
  }),
  service('lines', {
    description: 'An input that is no object, and no output schema.',
    input: z.array(z.string()),
    output: z.custom<string>(),
    price: { kind: 'each', priceMsat: msat(1) },
    effect: 'once',
    handler: (lines) => lines.join('\n'),
  }),
];

const DESCRIPTION: Description = {
  protocol: 'tollcall-1',
  network: 'regtest',
  host_key: '',
  host_key_fingerprint: '0'.repeat(64),
  services: SERVICES.map(({ name, description, price, effect, maxCalls, jsonSchema }) => ({
    name,
    description,
    price: priceToJson(price),
    effect,
    max_calls: maxCalls,
    ...jsonSchema,
  })),
};

interface Told {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

const page = (): Page => ({ html: new TextEncoder().encode('<p>'), headers: { 'x-page': '1' } });
const documents = new Documents(DESCRIPTION, page);

function ask(path: string, headers: Record<string, string> = {}, method = 'GET'): Told {
  const header = (name: string): string | undefined => headers[name];
  const body = new Uint8Array(0);
  const answer = documents.answer({ method, path, header, body, address: '' });
  assert.ok(answer, path);
  return { status: answer.status, headers: answer.headers, text: fromUtf8(answer.body, path) };
}

function read(path: string): Record<string, Json> {
  return JSON.parse(ask(path).text) as Record<string, Json>;
}

test('openrpc.json passes the official schema', async () => {
  const told = read('/openrpc.json');
  assert.deepEqual(await validate(OPENRPC, told as never, 'BASIC'), { valid: true });
  assert.equal((await validate(OPENRPC, { ...told, methods: [{}] } as never)).valid, false);
});

test('openapi.json passes the official schema, its JSON Schemas as well', async () => {
  const official = 'https://spec.openapis.org/oas/3.1/schema-base';
  const told = read('/openapi.json');
  assert.deepEqual(await validate(official, told as never, 'BASIC'), { valid: true });
  const broken = { ...told, components: { schemas: { x: { type: 'nothing' } } } };
  assert.equal((await validate(official, broken as never)).valid, false);
});

test('every reference of both documents leads somewhere', () => {
  for (const path of ['/openrpc.json', '/openapi.json']) {
    const told = read(path);
    const references = [...JSON.stringify(told).matchAll(/"\$ref":"(.*?)"/g)];
    assert.ok(references.length >= 5);
    for (const [, reference = ''] of references) {
      assert.notEqual(follow(told, reference), undefined, `${path} ${reference}`);
    }
  }
});

test('each service is there with its price, effect and schemas', () => {
  const { methods } = read('/openrpc.json') as unknown as { methods: Method[] };
  const [tree, lines] = methods;
  assert.deepEqual(tree?.['x-tollcall-price'], {
    kind: 'root',
    unit_msat: '1000',
    minimum_msat: '2000',
  });
  assert.deepEqual(
    tree?.params.map(({ name, required }) => [name, required]),
    [
      ['tree', true],
      ['depth', false],
      ['a/b~c d', true],
    ],
  );
  assert.equal(lines?.['x-tollcall-effect'], 'once');
  assert.deepEqual(lines?.params, []);
  const { paths } = read('/openapi.json') as unknown as { paths: Record<string, Path> };
  assert.deepEqual(paths['/call/tree']?.post.security, [{ toll: [] }]);
  assert.equal(paths['/call/lines']?.post['x-tollcall-effect'], 'once');
});

test('every fault that a call may end with is there, with its status, and no other', () => {
  const { components } = read('/openapi.json') as unknown as { components: Components };
  const told = Object.entries(components.responses).flatMap(([name, response]) =>
    Object.keys(response['x-tollcall-faults']).map((code) => [name, code] as const),
  );
  for (const [name, code] of told) {
    assert.equal(name, `problem-${FAULTS[code as FaultCode].status}`);
    assert.ok(isHostCode(code as FaultCode), code);
  }
  const codes = told.map(([, code]) => code);
  for (const code of ['SESSION_EXHAUSTED', 'SERVICE_FAILED', 'CODE_INVALID', 'HOST_BROKEN']) {
    assert.ok(codes.includes(code), code);
  }
  assert.ok(!codes.includes('HOST_UNREACHABLE') && !codes.includes('STORE_FULL'));
});

test('a browser gets the page, everybody else where to read on', () => {
  for (const accept of ['text/html', 'text/html;q=0.5, */*', 'application/xml,TEXT/HTML']) {
    assert.equal(ask('/', { accept }).headers['x-page'], '1', accept);
  }
  for (const accept of ['', '*/*', 'application/json', 'text/html;q=0', 'text/htmlx']) {
    const { text, headers } = ask('/', { accept });
    assert.deepEqual(JSON.parse(text), {
      description: '/.well-known/tollcall.json',
      openrpc: '/openrpc.json',
      openapi: '/openapi.json',
    });
    assert.equal(headers['vary'], 'accept');
  }
});

test('who has a document already is told so', () => {
  for (const path of ['/.well-known/tollcall.json', '/openrpc.json', '/openapi.json', '/']) {
    const etag = ask(path).headers['etag'] ?? '';
    for (const known of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const again = ask(path, { 'if-none-match': known });
      assert.deepEqual([again.status, again.text], [304, ''], path);
      assert.equal(again.headers['etag'], etag);
    }
    assert.equal(ask(path, { 'if-none-match': '"x"' }).status, 200);
  }
  const etags = ['/', '/openrpc.json'].map((path) => ask(path).headers['etag']);
  assert.notEqual(etags[0], etags[1]);
});

test('documents are read, and nothing else is done with them', () => {
  assert.equal(ask('/openapi.json', {}, 'HEAD').status, 200);
  assert.throws(
    () => ask('/openapi.json', {}, 'POST'),
    (error) => isFault(error) && error.code === 'REQUEST_METHOD',
  );
});

test('schemas come from the library, unless the seller gave others', () => {
  const [tree, lines] = SERVICES;
  const { input } = tree!.jsonSchema as { input: { properties: object; required: string[] } };
  assert.deepEqual(Object.keys(input.properties), ['tree', 'depth', 'a/b~c d']);
  // What has a default need not be sent.
  assert.deepEqual(input.required, ['tree', 'a/b~c d']);
  assert.deepEqual(lines!.jsonSchema.output, undefined);
  const options = {
    description: '',
    input: z.date(),
    output: z.string().max(9),
    price: { kind: 'each', priceMsat: msat(1) } as const,
    handler: () => '',
  };
  const own = service('own', { ...options, jsonSchema: { input: { type: 'string' } } });
  assert.deepEqual(own.jsonSchema.input, { type: 'string' });
  assert.equal(service('none', options).jsonSchema.input, undefined);
  const large = { enum: Array.from({ length: 5000 }, (_, i) => i) };
  assert.throws(
    () => service('large', { ...options, jsonSchema: { input: large } }),
    (error) => isFault(error) && error.code === 'CONFIG_INVALID',
  );
  const told = service('large', { ...options, input: z.enum(large.enum.map((i) => `value-${i}`)) });
  assert.equal(told.jsonSchema.input, undefined);
});

test('a description that payers would not read does not open', () => {
  const service = { ...DESCRIPTION.services[0]!, description: 'x'.repeat(1000) };
  const services = Array.from({ length: 1000 }, () => service);
  assert.throws(
    () => new Documents({ ...DESCRIPTION, services }),
    (error) => isFault(error) && error.code === 'CONFIG_INVALID',
  );
});

function follow(document: unknown, reference: string): unknown {
  const parts = decodeURIComponent(reference.slice(2)).split('/');
  let found = document;
  for (const part of parts) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    found = (found as Record<string, unknown> | undefined)?.[name];
  }
  return found;
}

interface Method {
  readonly params: readonly { readonly name: string; readonly required: boolean }[];
  readonly 'x-tollcall-price': Json;
  readonly 'x-tollcall-effect': string;
}

interface Path {
  readonly post: { readonly security: Json; readonly 'x-tollcall-effect': string };
}

interface Components {
  readonly responses: Readonly<Record<string, { readonly 'x-tollcall-faults': object }>>;
}
