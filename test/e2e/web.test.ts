/**
 * The page of a host in a real browser: what people see, with keyboard and without a mouse, in the
 * dark, on a small screen, without JavaScript, and when the host's texts are hostile.
 *
 * With TOLLCALL_PAGE_PNG=docs/page.png it also takes the picture of the docs.
 * @module
 */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { after, before, test } from 'node:test';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { z } from 'zod';
import { formatMsat, msat } from '../../src/base/money/index.ts';
import { service } from '../../src/host/index.ts';
import { bundleTotalMsat, type BundlePrice } from '../../src/pay/price/index.ts';
import { hostPage } from '../../src/web/index.ts';
import type { Description } from '../../src/wire/toll/index.ts';
import { commandPath, need } from '../need.ts';
import { openShop, type TestShop } from './shop.ts';

const HOSTILE =
  '</p></article><script>window.pwned=1</script><img src=x onerror="window.pwned=2">' +
  '"\' onmouseover="window.pwned=3" {{7*7}} <!-- & &lt; ]]>';

const PRICES: Readonly<Record<string, BundlePrice>> = {
  root: { kind: 'root', unitMsat: msat(1000), minimumMsat: msat(2000) },
  flat: { kind: 'fixed', totalMsat: msat(2_500_001) },
  hostile: { kind: 'each', priceMsat: msat(1) },
};

const SOLD = Object.entries(PRICES).map(([name, price]) =>
  service(name, {
    description: name === 'hostile' ? HOSTILE : 'For tests.',
    input: z.strictObject({ [HOSTILE]: z.string(), text: z.string() }),
    output: z.string(),
    price,
    ...(name === 'flat' ? { effect: 'once', maxCalls: 50 } : {}),
    handler: () => '',
  }),
);

const skip = need('chromium');
let shop: TestShop;
let browser: Browser;
before(async () => {
  if (skip !== false) return;
  shop = await openShop({ page: hostPage, services: SOLD });
  const executablePath = commandPath('chromium');
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
});
after(async () => {
  if (skip !== false) return;
  await browser.close();
  await shop.close();
});

/** Opens the page; what went wrong and what was fetched is there to be looked at. */
async function visit(options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const problems: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('request', (request) => requests.push(request.url()));
  await page.goto(shop.url);
  return { page, problems, requests, close: () => context.close() };
}

test('shows what is sold, asks nobody else, and has nothing to complain of', { skip }, async () => {
  const { page, problems, requests, close } = await visit();
  const { host } = new URL(shop.url);
  assert.equal(await page.title(), `${host} sells API calls`);
  assert.equal(await page.getByRole('heading', { level: 1 }).textContent(), host);
  const echo = page.locator('[data-service=echo]');
  assert.deepEqual(await echo.locator('dd').allTextContents(), [
    '1 sat',
    '10 sat',
    '100 sat',
    '1,000 sat',
  ]);
  const flat = await page.locator('[data-service=flat] dd').allTextContents();
  assert.deepEqual(flat.slice(2), ['not sold', 'not sold']);
  await page.getByText(/^Prices as of/).waitFor();
  await photograph();
  assert.match((await page.locator('#cli').textContent()) ?? '', new RegExp(`call ${host} echo`));
  assert.deepEqual(problems, []);
  const elsewhere = requests.filter((url) => !url.startsWith(shop.url) && !url.startsWith('data:'));
  assert.deepEqual(elsewhere, []);
  await close();
});

test('the calculator is worked by keyboard and counts as the books do', { skip }, async () => {
  const { page, close } = await visit();
  await page.getByRole('combobox', { name: 'Service' }).focus();
  for (const [name, price] of Object.entries(PRICES)) {
    await page.keyboard.type(name);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate('document.activeElement.id'), 'calls');
    for (const calls of [1, 3, 7, 49]) {
      await page.keyboard.press('Control+A');
      await page.keyboard.type(`${calls}`);
      const total = await page.evaluate('total.firstChild.data');
      assert.equal(total, formatMsat(bundleTotalMsat(price, calls)), `${name} ${calls}`);
    }
    await page.keyboard.press('Control+A');
    await page.keyboard.type('0');
    assert.equal(await page.locator('#calls').getAttribute('aria-invalid'), 'true');
    assert.match((await page.locator('#each').textContent()) ?? '', /whole number from 1 to/);
    await page.keyboard.press('Shift+Tab');
  }
  await close();
});

test('what is to be copied follows the calculator', { skip }, async () => {
  const { page, close } = await visit({ permissions: ['clipboard-read', 'clipboard-write'] });
  await page.getByRole('combobox', { name: 'Service' }).selectOption('root');
  await page.getByRole('spinbutton', { name: 'Calls' }).fill('49');
  await page.getByRole('button', { name: 'Copy the command line' }).press('Enter');
  await page.getByText('Copied').first().waitFor();
  const { host } = new URL(shop.url);
  assert.equal(
    await page.evaluate('navigator.clipboard.readText()'),
    `tollcall call ${host} root 49 --input '{"text": "..."}'`,
  );
  assert.match((await page.locator('#library').textContent()) ?? '', /msat\(7000n\)/);
  await close();
});

test('a narrow screen scrolls down only', { skip }, async () => {
  const { page, close } = await visit({ viewport: { width: 360, height: 700 } });
  assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 360);
  await close();
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`${colorScheme}: every text has contrast enough`, { skip }, async () => {
    const { page, close } = await visit({ colorScheme });
    const brightness = Number(await page.evaluate(BRIGHTNESS));
    assert.equal(brightness > 0.5, colorScheme === 'light');
    assert.deepEqual(await page.evaluate(LOW_CONTRAST), []);
    await close();
  });
}

test('without JavaScript it still says everything but the calculator', { skip }, async () => {
  const { page, close } = await visit({ javaScriptEnabled: false });
  assert.equal(await page.locator('[data-service=echo] dd').first().textContent(), '1 sat');
  assert.equal(await page.getByRole('combobox').count(), 0);
  assert.match((await page.locator('#cli').textContent()) ?? '', /^tollcall call HOST echo 10/);
  assert.equal(await page.getByText('the calculator needs JavaScript').isVisible(), true);
  await close();
});

test('hostile texts are text', { skip }, async () => {
  const { page, problems, close } = await visit();
  const shown = await page.locator('[data-service=hostile] .what').textContent();
  assert.equal(shown, HOSTILE);
  assert.equal(await page.evaluate('window.pwned'), undefined);
  assert.equal(await page.locator('script').count(), 1);
  assert.equal(await page.locator('img').count(), 0);
  assert.deepEqual(problems, []);
  await close();
});

test('the policy stops a script that got in all the same', { skip }, async () => {
  const { page, problems, close } = await visit();
  await page.evaluate(INJECT);
  assert.equal(await page.evaluate('window.pwned'), undefined);
  assert.match(problems.join(), /Content Security Policy/);
  await close();
});

test(
  'new prices are shown; another host key or other services ask for a new page',
  { skip },
  async () => {
    const { page, close } = await visit();
    const path = '/.well-known/tollcall.json';
    const now = (await (await fetch(shop.url + path)).json()) as Told;
    const tell = async (told: unknown): Promise<void> => {
      await page.unrouteAll();
      await page.route(`**${path}`, (route) => route.fulfill({ json: told }));
      await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
    };
    const [echo, ...others] = now.services;
    await tell({
      ...now,
      services: [{ ...echo, price: { kind: 'each', price_msat: '2500' } }, ...others],
    });
    await page.getByText('2.5 sat', { exact: true }).waitFor();
    await tell({ ...now, services: others });
    await page.getByText('This host has changed what it sells').waitFor();
    await tell(now);
    await page.getByText(/^Prices as of/).waitFor();
    await tell({ ...now, host_key_fingerprint: '0'.repeat(64) });
    await page.getByText('This host has changed what it sells').waitFor();
    await page.route(`**${path}`, (route) => route.abort());
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
    await page.getByText('The host does not answer').waitFor();
    await close();
  },
);

test('a screen reader finds its way', { skip }, async () => {
  const { page, close } = await visit();
  const tree = await page.locator('body').ariaSnapshot();
  for (const expected of [
    /- link "To the prices"/,
    /- banner:/,
    /- main:/,
    /- contentinfo:/,
    /- heading "What it sells" \[level=2\]/,
    /- heading "echo" \[level=3\]/,
    /- combobox "Service"/,
    /- spinbutton "Calls"/,
    /- button "Copy the command line"/,
    /img "Fingerprint, SHA-256: [0-9a-f]{4}( [0-9a-f]{4}){15}"/,
    /- status/,
  ]) {
    assert.match(tree, expected);
  }
  await close();
});

/** The picture of the docs, where one is wanted: a shop as somebody might have one. */
async function photograph(): Promise<void> {
  const path = process.env['TOLLCALL_PAGE_PNG'];
  if (path === undefined) return;
  const page = await browser.newPage({ viewport: { width: 820, height: 900 } });
  const { html, headers } = hostPage(PICTURED);
  const body = Buffer.from(html);
  await page.route('https://quotes.example/', (route) =>
    route.fulfill({ body, headers: { ...headers, 'content-type': 'text/html' } }),
  );
  await page.route('**/tollcall.json', (route) => route.fulfill({ json: PICTURED }));
  await page.goto('https://quotes.example/');
  await page.getByText(/^Prices as of/).waitFor();
  await page.screenshot({ path });
  await page.close();
}

const PICTURED: Description = {
  protocol: 'tollcall-1',
  network: 'mainnet',
  host_key: '',
  host_key_fingerprint: 'c35a40e937c7104156c3c194aa47d553e992bcbb9bb5cd034d4c16829d259aae',
  credit: { max_prepaid_msat: '100000000', max_liability_msat: '1', refund_after_ms: 60_000 },
  services: [
    {
      name: 'quotes',
      description: 'The last price of a stock. Input: {"symbol": "AAPL"}.',
      price: { kind: 'root', unit_msat: '1000', minimum_msat: '2000' },
      effect: 'none',
      max_calls: 1_000_000,
      input: { type: 'object', properties: { symbol: { type: 'string' } }, required: ['symbol'] },
    },
    {
      name: 'alerts',
      description: 'Sends one message when a stock passes a price.',
      price: { kind: 'each', price_msat: '2500' },
      effect: 'once',
      max_calls: 1000,
    },
  ],
};

interface Visit {
  readonly page: Page;
  readonly problems: readonly string[];
  readonly requests: readonly string[];
  readonly close: () => Promise<void>;
}

interface Told {
  readonly services: readonly object[];
}

/** Relative luminance (WCAG 2.2), for the colours that the page computes. */
const LUMINANCE = `const luminance = (colour) => {
  const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};`;

const BRIGHTNESS = `(() => { ${LUMINANCE}
  return luminance(getComputedStyle(document.body).backgroundColor);
})()`;

/** The texts whose contrast is below 4.5 to 1. */
const LOW_CONTRAST = `(() => { ${LUMINANCE}
  const behind = (element) => {
    const { backgroundColor } = getComputedStyle(element);
    const clear = backgroundColor === 'rgba(0, 0, 0, 0)';
    return clear && element.parentElement ? behind(element.parentElement) : backgroundColor;
  };
  const texts = [...document.querySelectorAll('body *:not(script):not(style):not(svg *)')]
    .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  return texts.flatMap((one) => {
    const levels = [luminance(getComputedStyle(one).color), luminance(behind(one))];
    const contrast = (Math.max(...levels) + 0.05) / (Math.min(...levels) + 0.05);
    return contrast >= 4.5 ? [] : [one.outerHTML.slice(0, 60) + ' ' + contrast];
  });
})()`;

const INJECT = `(() => {
  const script = document.createElement('script');
  script.textContent = 'window.pwned = 4';
  document.body.append(script);
})()`;
