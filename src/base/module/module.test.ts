/** Modules beside a module. @module */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isBuilt, moduleBeside } from './module.ts';

test('a module beside another one has its extension', () => {
  assert.equal(moduleBeside('file:///a/b.ts', './c').href, 'file:///a/c.ts');
  assert.equal(moduleBeside('file:///a/b.js', '../d/c').href, 'file:///d/c.js');
});

test('this test runs as source', () => {
  assert.equal(isBuilt(import.meta.url), false);
  assert.equal(isBuilt('file:///a/b.js'), true);
});
