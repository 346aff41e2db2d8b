/**
 * What a host sells as an OpenAPI document, made of its description.
 * OpenAPI 3.1.1: https://spec.openapis.org/oas/v3.1.1
 * @module
 */
import { FAULTS, type FaultCode } from '../base/fault/index.ts';
import type { Json, JsonObject } from '../base/json/index.ts';
import {
  BALANCE_HEADER,
  DESCRIPTION_PATH,
  type Description,
  type ServiceDescription,
} from '../wire/toll/index.ts';
import {
  faultsOf,
  problemSchema,
  schemasOf,
  serviceTerms,
  serviceWords,
} from './document-parts.ts';

/** The OpenAPI document of a host. */
export function openApi(description: Description): Json {
  const services = description.services.map((service): [string, Json] => [
    `/call/${service.name}`,
    { post: paidCall(service) },
  ]);
  return {
    openapi: '3.1.1',
    info: {
      title: 'tollcall host',
      version: description.protocol,
      description: INTRODUCTION,
    },
    servers: [{ url: '/' }],
    paths: {
      [DESCRIPTION_PATH]: { get: reading('describe', 'What the host sells, its prices, its key.') },
      '/health': { get: reading('health', 'Whether calls are served.') },
      ...Object.fromEntries(services),
    },
    components: {
      schemas: { Problem: problemSchema(), ...schemasOf(description.services) },
      responses: problemResponses(),
      headers: { [BALANCE_HEADER]: BALANCE },
      securitySchemes: { toll: SECURITY },
    },
    'x-tollcall-host': {
      network: description.network,
      host_key_fingerprint: description.host_key_fingerprint,
    },
  };
}

const INTRODUCTION =
  'Paid calls over HTTP. Each request carries its proof of payment in `Authorization: Toll`; ' +
  'each answer says what it cost in `Toll-Session`. A failed call is not charged. Bundles of ' +
  'calls are bought over JSON-RPC, see /openrpc.json.';

const SECURITY: Json = {
  type: 'http',
  scheme: 'Toll',
  description: 'A one-time code of a paid session: made for one request, charged at most once.',
};

const BALANCE: Json = {
  description: 'What this call charged and what the session has left, in millisatoshis.',
  schema: { type: 'string', examples: ['charged=500, credit=1500, calls-left=3'] },
};

/** A call may end with any of these. */
const CALL_FAULTS = faultsOf('JSON REQUEST SERVICE CODE SESSION CALL HOST');

function paidCall(service: ServiceDescription): Json {
  const { name, input, output } = service;
  const content = (side: 'input' | 'output', known: boolean): Json => ({
    'application/json': { schema: known ? { $ref: `#/components/schemas/${name}.${side}` } : {} },
  });
  return {
    operationId: `call.${name}`,
    summary: `One call of ${name}.`,
    description: serviceWords(service),
    security: [{ toll: [] }],
    requestBody: { required: true, content: content('input', input !== undefined) },
    responses: {
      '200': {
        description: 'The result.',
        headers: { [BALANCE_HEADER]: { $ref: `#/components/headers/${BALANCE_HEADER}` } },
        content: content('output', output !== undefined),
      },
      ...Object.fromEntries(
        statusesOf(CALL_FAULTS).map((status): [string, Json] => [
          `${status}`,
          { $ref: `#/components/responses/problem-${status}` },
        ]),
      ),
    },
    ...serviceTerms(service),
  };
}

function reading(operationId: string, summary: string): Json {
  const content = { 'application/json': { schema: { type: 'object' } } };
  return { operationId, summary, responses: { '200': { description: summary, content } } };
}

/** The faults of each HTTP status, as a response that the calls refer to. */
function problemResponses(): JsonObject {
  return Object.fromEntries(
    statusesOf(CALL_FAULTS).map((status): [string, Json] => {
      const codes = CALL_FAULTS.filter((code) => FAULTS[code].status === status);
      const rows = codes.map((code): [string, Json] => {
        const { retry, money, title } = FAULTS[code];
        return [code, { retry, money, title }];
      });
      return [`problem-${status}`, problemResponse(codes, Object.fromEntries(rows))];
    }),
  );
}

function problemResponse(codes: readonly FaultCode[], faults: JsonObject): Json {
  const narrowed = { properties: { code: { enum: codes } } };
  const schema = { allOf: [{ $ref: '#/components/schemas/Problem' }, narrowed] };
  return {
    description: codes.map((code) => `${code}: ${FAULTS[code].title}`).join('\n'),
    content: { 'application/problem+json': { schema } },
    'x-tollcall-faults': faults,
  };
}

function statusesOf(codes: readonly FaultCode[]): readonly number[] {
  return [...new Set(codes.map((code) => FAULTS[code].status))].toSorted((a, b) => a - b);
}
