/**
 * The examples of the documents work: commands are typed in the order of each page, against a
 * running `tollcall dev`; TypeScript and JavaScript compile against the packages. Where a page is
 * in `EXACT`, the terminal must show what the page shows.
 * @module
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Dev } from '../e2e/cli.ts';
import { blocksOf, allPages, stepsOf, type Command, type Program } from './page.ts';
import { Workshop } from './workshop.ts';

/**
 * Pages in which what a terminal shows is compared, but for times, keys and ports. Those that show
 * amounts come first, in this order: each goes on with the shop as the one before it left it.
 */
const EXACT: readonly string[] = [
  'docs/cli.md',
  'docs/operate.md',
  'docs/clients.md',
  'docs/serve.md',
  'docs/tutorial.md',
];

/** In such a page: commands that measure, and never show the same twice. */
const MEASURES = /^tollcall stream\b/;

/** Commands that are not typed here, by their beginning, each with the reason. */
const NOT_TYPED: Readonly<Record<string, string>> = {
  'npm start': 'test/e2e/demo.test.ts: it installs what is missing, then runs the demo',
  'npm test': 'this is it',
  'npm pack . ./regtest': 'test/e2e/package.test.ts',
  'npm init -y': 'the same',
  'npm pkg set type=module': 'the same',
  'npm install --save-dev @types/node': 'the same',
  'npm install ./tollcall': 'the same',
  'npx tollcall demo': 'the same',
  'python3 examples/python/buy.py': 'test/e2e/python.test.ts: this machine may lack a package',
  'tollcall dev': 'the other commands run against one',
  'tollcall call quotes.example': 'a host of somebody else; test/e2e/typed.test.ts pays by hand',
  'tollcall keys revoke ./host FINGERPRINT': 'a key of yours; test/e2e/keys-cli.test.ts',
};

/** What a page takes for granted. */
const BEFORE: Readonly<Record<string, readonly string[]>> = {
  'docs/keys.md': ['tollcall keys make ./host'],
};

/** Commands that stay until Ctrl-C. */
const STAYS = /^tollcall (dev --config|serve)\b/;

const workshop = new Workshop();
const typed = new Set<string>();
let shared: Dev;
before(async () => {
  shared = await workshop.home.dev();
});
after(() => workshop.leave());

/** A page at work: where its reader is, and on which port the host listens. */
interface Reader {
  readonly page: string;
  readonly folder: string;
  readonly home: string;
  port: string;
}

function reasonNotTo(line: string): string | undefined {
  const row = Object.keys(NOT_TYPED).find((start) => line.startsWith(start));
  if (row === undefined || STAYS.test(plain(line))) return undefined;
  typed.add(row);
  return NOT_TYPED[row];
}

/** One name for the command, however a page calls it. */
function plain(line: string): string {
  return line.replace(/^npx tollcall /, 'tollcall ').replace(/^node bin\/tollcall.mjs/, 'tollcall');
}

async function type({ line, shown, at }: Command, reader: Reader): Promise<void> {
  const { page } = reader;
  const command = plain(line).replaceAll('8402', reader.port);
  if (reasonNotTo(line) ?? reasonNotTo(command)) return;
  const where = `${page}:${at}: ${line}`;
  const stays = STAYS.test(command);
  const ended = stays ? await stay(command, reader) : await end(command, reader);
  const fails = shown.some((text) => text.startsWith('tollcall: '));
  assert.equal(ended.status, fails ? 1 : 0, `${where}\n${ended.stdout}${ended.stderr}`);
  if (!EXACT.includes(page) || shown.length === 0 || MEASURES.test(command)) return;
  assert.equal(skeleton(ended.stdout + ended.stderr), skeleton(shown.join('\n')), where);
}

/** The page starts a host: it has a home of its own. */
function ownHost(steps: readonly (Command | Program)[]): boolean {
  return steps.some((step) => 'line' in step && STAYS.test(plain(step.line)));
}

const end = (command: string, { folder, home }: Reader): ReturnType<Workshop['run']> =>
  workshop.run(command, folder, home);

/** From here on the page has a host of its own. */
async function stay(
  command: string,
  reader: Reader,
): Promise<{ status: number; stdout: string; stderr: string }> {
  const stdout = await workshop.begin(command, reader.folder, reader.home);
  reader.port = /127\.0\.0\.1:(\d+)/.exec(stdout)?.[1] ?? '';
  return { status: 0, stdout, stderr: '' };
}

/** What a terminal shows, without what differs from one time to the next. */
function skeleton(text: string): string {
  return text
    .replaceAll(/\b[\d,.]+ (ms|s)\b/g, 'TIME')
    .replaceAll(/127\.0\.0\.1:\d+/g, 'HOST')
    .replaceAll(/\bport \d+/g, 'port')
    .replaceAll(/\d{4}-\d\d-\d\d(T[\d:.]+Z| \d\d:\d\d)?/g, 'DATE')
    .replaceAll(/\b[0-9a-f]{8,}…?/g, 'HEX')
    .replaceAll(/[~./][\w./-]*\/(?=(tollcall\.config\.ts|chain|host)\b)/g, 'DIR/')
    .replaceAll(/─+/g, '─')
    .replaceAll(/ +/g, ' ')
    .replaceAll(/ $/gm, '')
    .trim();
}

function write({ file, text }: Program, { folder, port }: Reader): void {
  writeFileSync(join(folder, file), text.replaceAll('8402', port));
}

const order = new Set([...EXACT, ...allPages()]);
const pages = [...order].map((page) => ({ page, blocks: blocksOf(page) }));

for (const { page, blocks } of pages) {
  const steps = blocks.flatMap(stepsOf);
  if (steps.length === 0) continue;
  test(`${page}: what a reader types works`, async () => {
    const folder = workshop.folder(page);
    const reader: Reader = {
      page,
      folder,
      home: ownHost(steps) ? workshop.home.at('homes', page) : workshop.home.dir,
      port: shared.address.replace(/.*:/, ''),
    };
    mkdirSync(reader.home, { recursive: true });
    const given = (BEFORE[page] ?? []).map((line) => ({ line, shown: [], at: 0 }));
    for (const step of [...given, ...steps]) {
      if ('line' in step) await type(step, reader);
      else write(step, reader);
    }
  });
}

test('all TypeScript and JavaScript in the documents compiles', async () => {
  for (const { page, blocks } of pages) {
    const code = blocks.filter(({ language }) => language === 'ts' || language === 'js');
    const folder = workshop.folder(page);
    for (const block of code.filter((one) => stepsOf(one).length === 0)) {
      writeFileSync(join(folder, `line-${block.at}.${block.language}`), block.lines.join('\n'));
    }
  }
  const { stdout } = await workshop.compile();
  assert.deepEqual(
    stdout.split('\n').filter((line) => line.startsWith('pages/')),
    [],
  );
});

test('each row of NOT_TYPED is needed', () => {
  assert.deepEqual(
    Object.keys(NOT_TYPED).filter((row) => !typed.has(row)),
    [],
  );
});
