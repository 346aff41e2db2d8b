/**
 * `tollcall types`: what a host sells, as TypeScript types.
 * @module
 */
import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { Fault } from '../base/fault/index.ts';
import { hostOptions, trustOf, type HostOptions } from './host-options.ts';
import { openLooker } from './profile.ts';
import { printJson } from './report.ts';
import { servicesText } from './services-text.ts';

interface TypesOptions extends HostOptions {
  readonly out?: string;
}

/** Adds `tollcall types`. */
export function addTypes(program: Command): void {
  const command = program
    .command('types')
    .summary('TypeScript types for what a host sells')
    .description(
      'Writes TypeScript types for the services of a host, out of their JSON Schemas. With them ' +
        'every call is typed: payer.connect<Services>(...).',
    )
    .argument('<host>', 'its address, such as 127.0.0.1:8402')
    .option('--out <file>', 'where to write them; without it, to standard output');
  hostOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  tollcall types 127.0.0.1:8402
  tollcall types 127.0.0.1:8402 --out quotes.d.ts`,
    )
    .action((host: string, options: TypesOptions) => runTypes(host, options));
}

async function runTypes(host: string, options: TypesOptions): Promise<void> {
  const profile = await openLooker(options.profile);
  try {
    const { url, description } = await profile.connect(host, trustOf(options));
    const text = servicesText(url, description);
    const { out, json = false } = options;
    if (out !== undefined) writeText(out, text);
    const services = description.services.map(({ name }) => name);
    if (json)
      printJson(out === undefined ? { host: url, services, text } : { host: url, services, out });
    else if (out === undefined) process.stdout.write(text);
    else process.stdout.write(`  ${out}: ${services.join(', ').slice(0, 200)}\n`);
  } finally {
    await profile.close();
  }
}

function writeText(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new Fault('CONFIG_INVALID', { option: '--out', file, problem: 'cannot write' }, error);
  }
}
