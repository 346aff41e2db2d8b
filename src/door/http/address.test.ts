/**
 * Whose quota an address counts against.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forwardedAddress, quotaAddress } from './address.ts';

test('an IPv4 address stands for itself, an IPv6 one for its network of 64 bits', () => {
  const table: readonly (readonly [string, string])[] = [
    ['203.0.113.9', '203.0.113.9'],
    ['::ffff:203.0.113.9', '203.0.113.9'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::'],
    ['2001:db8:1:2::7', '2001:db8:1:2::'],
    ['2001:DB8:0001:2::', '2001:db8:1:2::'],
    ['2001:db8::1', '2001:db8:0:0::'],
    ['::1', '0:0:0:0::'],
    ['::', '0:0:0:0::'],
    ['fe80::1%eth0', 'fe80:0:0:0::'],
    ['', ''],
    ['garbage', 'garbage'],
  ];
  for (const [address, quota] of table) assert.equal(quotaAddress(address), quota, address);
});

test('what a visitor made up before the proxy wrote is not looked at', () => {
  assert.equal(forwardedAddress('203.0.113.9, 198.51.100.7'), '198.51.100.7');
  assert.equal(forwardedAddress(' 2001:db8::1 '), '2001:db8::1');
  for (const none of [undefined, '', 'unknown', '203.0.113.9,', '1.2.3.4:80']) {
    assert.equal(forwardedAddress(none), undefined);
  }
});
