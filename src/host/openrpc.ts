/**
 * What a host sells as an OpenRPC document, made of its description.
 * OpenRPC 1.3.2: https://spec.open-rpc.org
 * @module
 */
import { FAULTS, type FaultCode } from '../base/fault/index.ts';
import type { Json } from '../base/json/index.ts';
import { rpcCode } from '../wire/rpc/index.ts';
import type { Description, ServiceDescription } from '../wire/toll/index.ts';
import {
  faultsOf,
  problemSchema,
  schemasOf,
  serviceTerms,
  serviceWords,
} from './document-parts.ts';
import { propertiesOf } from './json-schema.ts';

/** The OpenRPC document of a host. */
export function openRpc(description: Description): Json {
  return {
    openrpc: '1.3.2',
    info: {
      title: 'tollcall host',
      version: description.protocol,
      description: INTRODUCTION,
    },
    servers: [{ name: 'this host', url: '/rpc' }],
    methods: [...description.services.map(serviceMethod), ...CONTROL_METHODS.map(controlMethod)],
    components: { schemas: { Problem: problemSchema(), ...schemasOf(description.services) } },
    'x-tollcall-host': {
      network: description.network,
      host_key_fingerprint: description.host_key_fingerprint,
    },
  };
}

const INTRODUCTION =
  'Paid calls over JSON-RPC 2.0. A request carries its proof of payment in the member `toll`; a ' +
  'response says there what it cost. A failed call is not charged.';

function serviceMethod(service: ServiceDescription): Json {
  const { name, input, output } = service;
  const place = (side: string): Json => ({ $ref: `#/components/schemas/${name}.${side}` });
  const properties = propertiesOf(input as Json | undefined);
  return {
    name,
    description: serviceWords(service),
    paramStructure: 'by-name',
    params: (properties ?? []).map((property) => ({
      name: property.name,
      required: property.required,
      schema: { $ref: `${placeOf(name)}/properties/${pointer(property.name)}` },
    })),
    result: { name: 'result', schema: output === undefined ? {} : place('output') },
    errors: errorsOf(faultsOf('JSON REQUEST SERVICE CODE SESSION CALL HOST')),
    // All parameters together: also for an input that is no list of properties.
    ...(input === undefined ? {} : { 'x-tollcall-input': place('input') }),
    ...serviceTerms(service),
  };
}

function placeOf(name: string): string {
  return `#/components/schemas/${name}.input`;
}

/** A name as a part of a JSON Pointer in a URI fragment (RFC 6901). */
function pointer(name: string): string {
  return encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1'));
}

/** What is not a paid call: name, what it does, whether it needs a credential, its faults. */
const CONTROL_METHODS: readonly (readonly [string, string, string])[] = [
  ['toll.describe', 'What the host sells, its prices, its key.', 'REQUEST HOST'],
  ['toll.setup', 'Orders a bundle of calls and gets an invoice for it.', 'SERVICE SETUP HOST'],
  ['toll.topup', 'Buys more calls for a session.', 'SERVICE SETUP CODE SESSION HOST'],
  ['toll.session', 'Where a session stands; `toll` is a question.', 'CODE SESSION HOST'],
  ['toll.receipt', 'A signed statement; `toll` is a question.', 'CODE SESSION HOST'],
  ['toll.refund', 'Pays credit back to an invoice; `toll` is a question.', 'CODE REFUND HOST'],
];

function controlMethod([name, description, areas]: readonly [string, string, string]): Json {
  return {
    name,
    description,
    paramStructure: 'by-name',
    params: [],
    result: { name: 'result', schema: { type: 'object' } },
    errors: errorsOf(faultsOf(areas)),
  };
}

/** Faults by their number: most share one, and its data lists them. */
function errorsOf(codes: readonly FaultCode[]): Json {
  const numbers = [...new Set(codes.map(rpcCode))].toSorted((a, b) => a - b);
  return numbers.map((code) => {
    const faults = codes.filter((fault) => rpcCode(fault) === code);
    const data = faults.map((fault) => ({ code: fault, ...FAULTS[fault] }));
    const message =
      faults.length === 1 ? (data[0]?.title ?? '') : 'A fault of tollcall: data.code says which.';
    return { code, message, data };
  });
}
