/**
 * The shape of the project itself, and that each rule of the checker fires.
 * @module
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { FLOORS } from './tidy/house.ts';
import { readSource } from './tidy/source.ts';
import { tidy } from './tidy/tidy.ts';
import { readTree } from './tidy/tree.ts';

const ROOT = join(import.meta.dirname, '..');
const HEAD = '/** A file. @module */\n';

/** What tidy says about these files, when nothing is excepted. */
function problemsOf(files: Readonly<Record<string, string>>): string[] {
  return tidy(new Map(Object.entries(files)), []);
}

/** What tidy says about a file with this body. */
function problemsOfBody(body: string, path = 'src/base/money/money.ts'): string[] {
  return problemsOf({ [path]: HEAD + body });
}

test('the project is tidy', () => {
  const problems = tidy(readTree(ROOT));
  assert.ok(problems.length === 0, `\n${problems.join('\n')}`);
});

test('the table has every room once', () => {
  const rooms = FLOORS.flatMap(([floor, names]) => names.map((name) => `${floor}/${name}`));
  assert.equal(new Set(rooms).size, rooms.length);
  assert.equal(new Set(FLOORS.map(([floor]) => floor)).size, FLOORS.length);
});

describe('imports', () => {
  const refused: readonly [name: string, from: string, specifier: string, problem: RegExp][] = [
    ['a later floor', 'src/pay/tick/tick.ts', '../../wire/toll/index.ts', /floor: .* later floor/],
    ['a room to the right', 'src/pay/tick/tick.ts', '../bundle/index.ts', /floor: .* to its right/],
    ['past a door', 'src/pay/tick/tick.ts', '../../base/hash/hash.ts', /door: .* its index\.ts/],
    ['past the door of a floor', 'src/payer/payer.ts', '../books/books.ts', /door: import books/],
    ['out of src', 'src/pay/tick/tick.ts', '../../../scripts/check.ts', /floor: src may not/],
    ['a test from code', 'src/pay/tick/tick.ts', '../../../test/need.ts', /floor: src may not/],
  ];
  for (const [name, from, specifier, problem] of refused) {
    for (const line of [
      `import { x } from '${specifier}';`,
      `import type { x } from "${specifier}";`,
      `import {\n  x,\n} from '${specifier}';`,
      `import '${specifier}';`,
      `export * from '${specifier}';`,
      `const x = await import('${specifier}');`,
    ]) {
      test(`${name}: ${line.replaceAll('\n', ' ')}`, () => {
        const problems = problemsOf({ [from]: HEAD + line });
        assert.equal(problems.length, 1);
        assert.match(problems[0]!, problem);
      });
    }
  }

  test('an earlier floor, the left and the own room are open', () => {
    const lines = [
      `import { a } from '../../base/hash/index.ts';`,
      `import { b } from '../tick/index.ts';`,
      `import { c } from './codes.ts';`,
      `import { d } from 'zod';`,
      `// import { e } from '../../web/page.ts';`,
      `const text = "import { e } from '../../web/page.ts'";`,
    ];
    assert.deepEqual(problemsOfBody(lines.join('\n'), 'src/pay/bundle/bundle.ts'), []);
  });

  test('a test beside the code may use the test folder', () => {
    const line = `import { need } from '../../../test/need.ts';`;
    assert.deepEqual(problemsOfBody(line, 'src/pay/tick/tick.test.ts'), []);
  });

  test('a side door is open', () => {
    const line = `import { a } from '../port/wallet/ldk/index.ts';`;
    assert.deepEqual(problemsOfBody(line, 'src/cli/main.ts'), []);
  });

  test('a room or floor that is not in the table', () => {
    for (const path of ['src/pay/coupon/coupon.ts', 'src/shop/till.ts', 'src/main.ts']) {
      assert.match(problemsOfBody('', path).join('\n'), /room: stands in no room/);
    }
  });

  test('a file of a floor with rooms that stands in none of them', () => {
    assert.match(problemsOfBody('', 'src/pay/pay.ts').join('\n'), /room: stands in no room/);
  });

  test('a cycle, once', () => {
    const files = {
      'src/host/a.ts': `${HEAD}import './b.ts';`,
      'src/host/b.ts': `${HEAD}import type { C } from './c.ts';`,
      'src/host/c.ts': `${HEAD}export { a } from './a.ts';`,
    };
    assert.deepEqual(problemsOf(files), [
      'src/host/a.ts:1: cycle: imports itself: ' +
        'src/host/a.ts > src/host/b.ts > src/host/c.ts > src/host/a.ts',
    ]);
  });
});

describe('bans', () => {
  const banned: readonly [path: string, body: string][] = [
    ['src/host/host.ts', 'const a = Date.now();'],
    ['src/host/host.ts', 'const a = new Date(1);'],
    ['src/host/host.ts', 'const a = performance.now();'],
    ['src/base/hash/hash.ts', 'const a = Math.random();'],
    ['src/host/host.ts', 'setTimeout(f, 1);'],
    ['test/contract/wallet.ts', 'setInterval(f, 1);'],
    ['src/host/host.ts', 'globalThis.setTimeout(f, 1);'],
    ['src/host/host.ts', "const a = process.env['A'];"],
    ['src/host/host.ts', 'const a = process.argv[2];'],
    ['src/host/host.ts', 'await crypto.subtle.digest(a, b);'],
    ['src/host/host.ts', 'console.log(1);'],
    ['src/host/host.ts', 'const a = `${`${Date.now()}`}`;'],
    ['src/host/host.test.ts', "test.skip('x', f);"],
    ['test/sim/host.test.ts', "describe.only('x', f);"],
    ['test/sim/host.test.ts', "test.todo('x');"],
    ['test/sim/host.test.ts', "test('x', { skip: true }, f);"],
  ];
  for (const [path, body] of banned) {
    test(`${path}: ${body}`, () => {
      const problems = problemsOfBody(body, path);
      assert.equal(problems.length, 1);
      assert.match(problems[0]!, /:2: ban: .* is banned here: \w/);
    });
  }

  const allowed: readonly [path: string, body: string][] = [
    ['src/base/time/time.ts', 'const a = Date.now() + performance.now(); setTimeout(f, 1);'],
    ['src/base/random/random.ts', 'const a = Math.random();'],
    ['src/cli/main.ts', 'console.log(process.env, process.argv);'],
    ['scripts/check.ts', 'const a = performance.now(); const b = process.argv;'],
    ['src/door/ws/ws.ts', 'socket.setTimeout(1);'],
    ['src/host/host.ts', '// Date.now is not for us\n/* console.log(1) */'],
    ['src/host/host.ts', "const a = 'Date.now()'; const b = `Math.random() ${a}`;"],
    ['src/host/host.ts', 'const a = /Math.random["\'`]/.test(b) && c / d;'],
    ['test/sim/host.test.ts', "test('x', { skip: need('nats') }, f);"],
  ];
  for (const [path, body] of allowed) {
    test(`allowed in ${path}: ${body}`, () => {
      assert.deepEqual(problemsOfBody(body, path), []);
    });
  }

  const bannedText: readonly [path: string, text: string][] = [
    ['README.md', 'TODO: write this'],
    ['docs/a.md', 'see FIXME'],
    ['scripts/services.sh', 'cd /home/me/project'],
    ['docs/a.md', 'in `/root/x` and elsewhere'],
    ['.ci/run', 'cp /work/main/x y'],
    ['package-lock.json', '  "resolved": "x"'],
    ['.npmrc', 'registry=https://registry.npmjs.org/'],
    ['package.json', '"https://npm.artifactory.example.com/a"'],
  ];
  for (const [path, text] of bannedText) {
    test(`${path}: ${text}`, () => {
      const problems = problemsOf({ [path]: text });
      assert.equal(problems.length, 1);
      assert.match(problems[0]!, /:1: text: /);
    });
  }

  test('a relative path and a longer word are no matter', () => {
    assert.deepEqual(
      problemsOf({ 'docs/a.md': '../work/x src/home/y https://a.b/root/ TODOS' }),
      [],
    );
  });
});

describe('layout', () => {
  const found: readonly [name: string, path: string, text: string, problem: RegExp][] = [
    ['no module comment', 'src/host/a.ts', 'const a = 1;', /:1: comment: .* no module comment/],
    ['a plain comment', 'src/host/a.ts', '// A file.\n', /:1: comment: .* no module comment/],
    ['an export without a comment', 'src/host/a.ts', `${HEAD}export const a = 1;`, /export a has/],
    ['a line comment', 'src/host/a.ts', `${HEAD}// a\nexport type A = 1;`, /:3: .*export A has/],
    ['code between', 'src/host/a.ts', `${HEAD}/** A. */\nf();\nexport class A {}`, /export A has/],
    ['a long line', 'src/host/a.ts', `${HEAD}// ${'x'.repeat(98)}`, /:2: size: .* 101 columns/],
    ['a long file', 'src/host/a.ts', `${HEAD}${'f();\n'.repeat(500)}`, /size: .* 501 lines/],
    ['code in a door', 'src/host/index.ts', `${HEAD}const a = 1;\n`, /:2: door: .* re-exports/],
    ['an import in a door', 'src/host/index.ts', `${HEAD}import './a.ts';`, /door: .* re-exports/],
    ['a file called utils', 'src/host/utils.ts', HEAD, /name: 'utils' says nothing/],
    ['a test of one', 'src/host/helpers.test.ts', HEAD, /name: 'helpers' says nothing/],
    ['a folder called common', 'test/common/a.ts', HEAD, /^test\/common:1: name: 'common'/],
  ];
  for (const [name, path, text, problem] of found) {
    test(name, () => {
      const problems = problemsOf({ [path]: text });
      assert.equal(problems.length, 1);
      assert.match(problems[0]!, problem);
    });
  }

  test('what is as it should be', () => {
    const body = [
      '/** A. */',
      'export function a(x: string): string;',
      'export function a(x: number): number;',
      '',
      '/**',
      ' * B.',
      ' */',
      'export abstract class B {}',
      `// https://example.com/${'x'.repeat(100)}`,
      'export { c };',
    ];
    assert.deepEqual(problemsOfBody(body.join('\n')), []);
  });

  test('a door with re-exports only', () => {
    const body = [
      `export { a, type B } from './a.ts';`,
      `export type {\n  C,\n  D,\n} from './c.ts';`,
      `export * from './e.ts';`,
    ];
    assert.deepEqual(problemsOfBody(body.join('\n'), 'src/host/index.ts'), []);
  });
});

test('an exception covers its own file and rule only', () => {
  const tree = new Map([['src/host/a.ts', `${HEAD}f(Date.now());\nexport const a = 1;`]]);
  const reason = 'for this test';
  assert.match(tidy(tree, [{ file: 'src/host/a.ts', rule: 'ban', reason }]).join(), /comment/);
  const other = tidy(tree, [{ file: 'src/host/b.ts', rule: 'ban', reason }]);
  assert.equal(other.length, 3);
  assert.match(other.join('\n'), /src\/host\/b\.ts:1: exception: 'ban' needs no exception/);
});

test('masking keeps every line and column', () => {
  const lines = [
    "const a = `x${{ b: '}' }.b}y`; // c",
    'const d = "e\\"f"; /* g',
    'h */ i / j / k;',
  ];
  const { code } = readSource('src/host/a.ts', lines.join('\n'));
  assert.deepEqual(code.split('\n'), [
    "const a = ` ${{ b: ' ' }.b} `;     ",
    'const d = "    ";     ',
    '     i / j / k;',
  ]);
});
