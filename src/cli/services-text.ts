/**
 * What a host sells, as a module of TypeScript types. Its texts are the host's: all of them are
 * made harmless.
 * @module
 */
import type { Json } from '../base/json/index.ts';
import { ticksText, type Description, type ServiceDescription } from '../wire/toll/index.ts';
import { TypeNames, declareTypes } from './type-text.ts';
import { commentText, propertyName } from './typescript.ts';

/** The module of types for a host. It imports nothing. */
export function servicesText(url: string, description: Description): string {
  const { host_key_fingerprint: fingerprint, services } = description;
  const names = new TypeNames('Services');
  const head = `What ${url} sells; made by "tollcall types".\n\nHost key: ${fingerprint}`;
  const made = services.map((service) => serviceText(service, names));
  const members = made.map(
    ({ service, name }) =>
      `${serviceComment(service, '  ')}\n  readonly ${propertyName(service.name)}: ${name};`,
  );
  return `${[
    `${commentText(head, '')}\n`,
    `/** For \`payer.connect<Services>\`: the host's services by name. */`,
    members.length === 0
      ? 'export interface Services {}'
      : `export interface Services {\n${members.join('\n')}\n}`,
    ...made.map(({ text }) => `\n${text}`),
  ].join('\n')}\n`;
}

function serviceText(
  service: ServiceDescription,
  names: TypeNames,
): { service: ServiceDescription; name: string; text: string } {
  const name = names.take(service.name);
  const [input, output] = [names.take(name, 'input'), names.take(name, 'output')];
  const text = [
    `export interface ${name} {\n  readonly input: ${input};\n  readonly output: ${output};\n}`,
    ...declareTypes((service.input ?? true) as Json, input, names),
    ...declareTypes((service.output ?? true) as Json, output, names),
  ].join('\n\n');
  return { service, name, text };
}

function serviceComment(service: ServiceDescription, indent: string): string {
  const { description, effect, ticks } = service;
  const once = effect === 'once' ? '\nActs once: never run twice.' : '';
  const paid = ticks === undefined ? '' : `\nBy ticks: ${ticksText(ticks)}.`;
  return commentText(`${description}${once}${paid}`, indent);
}
