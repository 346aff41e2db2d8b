/**
 * Whatever a document points to is there: files, folders, headings; and each page is listed.
 * @module
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { ROOT, allPages, anchorsOf, proseOf } from './page.ts';

const PAGES = allPages();

function linksOf(page: string): readonly string[] {
  const found = [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
  return found.filter((link) => !/^[a-z]+:/.test(link));
}

function broken(page: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? page : normalize(join(dirname(page), path));
  if (!existsSync(join(ROOT, target))) return true;
  return anchor !== undefined && !anchorsOf(target).has(anchor);
}

test('there are pages, and links in them', () => {
  assert.ok(PAGES.includes('README.md'));
  assert.ok(PAGES.flatMap(linksOf).length > 50);
});

for (const page of PAGES) {
  test(`the links of ${page} lead somewhere`, () => {
    const lost = linksOf(page).filter((link) => broken(page, link));
    assert.deepEqual(lost, []);
  });
}

test('docs/README.md leads to each page of docs', () => {
  const listed = new Set(linksOf('docs/README.md').map((link) => link.split('#')[0]));
  const pages = PAGES.filter((page) => dirname(page) === 'docs' && page !== 'docs/README.md');
  const missing = pages.map((page) => basename(page)).filter((name) => !listed.has(name));
  assert.deepEqual(missing, []);
});
