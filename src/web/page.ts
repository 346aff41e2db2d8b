/**
 * The page that a host shows to people: what it sells, what that costs, how to buy, whose key it
 * is. One file without any request beyond the price list; its policy allows nothing else.
 * @module
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { utf8 } from '../base/bytes/index.ts';
import type { Json } from '../base/json/index.ts';
import { formatMsat, parseMsat } from '../base/money/index.ts';
import type { Page } from '../host/index.ts';
import { bundleTotalMsat } from '../pay/price/index.ts';
import {
  priceFromJson,
  ticksText,
  type Description,
  type ServiceDescription,
} from '../wire/toll/index.ts';
import { exampleInput } from './example.ts';
import { html, Markup } from './html.ts';
import { fingerprintIcon, fingerprintMark } from './mark.ts';

const STYLE = asset('page.css');
/** Not page.js: that is what is built of this file. */
const SCRIPT = asset('browser.js');
/** To the last character what the policy has the hash of. */
const STYLE_ELEMENT = new Markup(`<style>${STYLE}</style>`);
const SCRIPT_ELEMENT = new Markup(`<script>${SCRIPT}</script>`);

/** How much is shown on each card. */
const QUANTITIES = [1, 10, 100, 1000];

/** The page of a host, and its policy. */
export function hostPage(description: Description): Page {
  const policy = [
    "default-src 'none'",
    `script-src ${integrity(SCRIPT)}`,
    `style-src ${integrity(STYLE)}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return {
    html: utf8(page(description).text),
    headers: {
      'content-security-policy': policy.join('; '),
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    },
  };
}

function asset(name: string): string {
  return readFileSync(new URL(`./${name}`, import.meta.url), 'utf8').trim();
}

function integrity(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

function page(description: Description): Markup {
  const { services, host_key_fingerprint: fingerprint } = description;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>This host sells API calls</title>
        <link rel="icon" href="${fingerprintIcon(fingerprint)}" />
        ${STYLE_ELEMENT}
      </head>
      <body data-fingerprint="${fingerprint}">
        <a class="skip" href="#prices">To the prices</a>
        <header>
          ${fingerprintMark(fingerprint)}
          <div>
            <h1 data-slot="host">This host</h1>
            <p>
              sells API calls over Lightning, one by one. No account, no API key: pay an invoice,
              then call.
            </p>
          </div>
        </header>
        <main>
          <h2 id="prices">What it sells</h2>
          ${services.length === 0 ? html`<p>Nothing at the moment.</p>` : services.map(card)}
          <p class="note" id="live" role="status"></p>
          ${buying(services, fingerprint)}
          <h2>Whose key it is</h2>
          <div class="card">
            <p>
              Compare this fingerprint with the one that the seller gave you, best over another
              channel. Your client refuses a host that shows another key.
            </p>
            ${grouped(fingerprint)}
          </div>
          <h2>What becomes of your money</h2>
          <div class="card">${terms(description)}</div>
        </main>
        <footer>
          For programs: <a href="/.well-known/tollcall.json">description</a>,
          <a href="/openapi.json">OpenAPI</a>, <a href="/openrpc.json">OpenRPC</a>.
          <span id="said" role="status" class="skip"></span>
        </footer>
        ${SCRIPT_ELEMENT}
      </body>
    </html> `;
}

function card(service: ServiceDescription): Markup {
  const { name, description, effect, price, ticks, max_calls: most } = service;
  const safe =
    effect === 'none'
      ? 'Safe to repeat.'
      : 'Acts once: a call is never run twice, even after a crash.';
  const rows = QUANTITIES.map(
    (calls) =>
      html`<div>
        <dt>${calls.toLocaleString('en-US')} ${calls === 1 ? 'call' : 'calls'}</dt>
        <dd data-calls="${calls}">${priceText(service, calls)}</dd>
      </div> `,
  );
  return html`<article
    class="card"
    data-service="${name}"
    data-price="${JSON.stringify(price)}"
    data-max-calls="${most}"
    data-input="${exampleInput(service.input as Json | undefined)}"
  >
    <h3>${name}</h3>
    <p class="what">${description}</p>
    <dl class="prices">${rows}</dl>
    <p class="note">${safe} At most ${most.toLocaleString('en-US')} calls in one bundle.</p>
    ${ticks === undefined ? '' : html`<p class="note">By ticks: ${ticksText(ticks)}.</p>`}
  </article> `;
}

function priceText(service: ServiceDescription, calls: number): string {
  if (calls > service.max_calls) return 'not sold';
  return formatMsat(bundleTotalMsat(priceFromJson(service.price), calls));
}

function buying(services: readonly ServiceDescription[], fingerprint: string): Markup {
  const [first] = services;
  if (first === undefined) return html``;
  const calls = Math.min(10, first.max_calls);
  const total = bundleTotalMsat(priceFromJson(first.price), calls);
  const input = exampleInput(first.input as Json | undefined);
  const slot = (name: string, text: string | number): Markup =>
    html`<span data-slot="${name}">${text}</span>`;
  const example = slot('input', input);
  const [host, service, n] = [
    slot('host', 'HOST'),
    slot('service', first.name),
    slot('calls', calls),
  ];
  return html`${calculator(services, calls)}
    <h2>How to buy</h2>
    <div class="card">
      <div class="code">
        <h3>On the command line</h3>
        ${copy('cli')}
      </div>
      <pre
        tabindex="0"
        role="region"
        aria-label="Command line"
      ><code id="cli">tollcall call ${host} ${service} ${n} --input '${example}'</code></pre>
      <div class="code">
        <h3>In TypeScript</h3>
        ${copy('library')}
      </div>
      <pre
        tabindex="0"
        role="region"
        aria-label="TypeScript"
      ><code id="library">const link = await payer.connect('${host}', {
  fingerprint: '${fingerprint}',
});
const session = await payer.buy(link, {
  service: '${service}',
  calls: ${n},
  maxTotalMsat: msat(${slot('total', `${total}`)}n),
});
const { result } = await session.call(${example});</code></pre>
      <p class="note">
        One invoice buys all calls. A call that fails is not charged, and what you paid for is never
        lost: the same request fetches its answer again. With types:
        <code>tollcall types ${host}</code>
      </p>
    </div>`;
}

function calculator(services: readonly ServiceDescription[], calls: number): Markup {
  return html`<h2>What it would cost</h2>
    <form class="card calc" id="calculator" hidden>
      <label
        >Service
        <select id="service">
          ${services.map(({ name }) => html`<option>${name}</option>`)}
        </select></label
      >
      <label
        >Calls
        <input
          id="calls"
          type="number"
          inputmode="numeric"
          min="1"
          step="1"
          value="${calls}"
          aria-describedby="each"
      /></label>
      <output id="total" for="service calls">–<small id="each"></small></output>
    </form>
    <p class="card" id="plain">The prices above are complete; the calculator needs JavaScript.</p>`;
}

function copy(id: string): Markup {
  const what = id === 'cli' ? 'the command line' : 'the TypeScript example';
  return html`<button type="button" data-copy="${id}" hidden aria-label="Copy ${what}">
    Copy
  </button>`;
}

/** In groups of four digits; who compares by eye looks at the first and the last first. */
function grouped(fingerprint: string): Markup {
  const groups = fingerprint.match(/.{4}/g) ?? [];
  const last = groups.length - 1;
  const cells = groups.map((group, i) =>
    i === 0 || i === last ? html`<b>${group}</b>` : html`<span>${group}</span>`,
  );
  return html`<div class="key" role="img" aria-label="Fingerprint, SHA-256: ${groups.join(' ')}">
    ${cells}
  </div>`;
}

function terms({ network, credit }: Description): Markup {
  const rows: (readonly [string, string])[] = [['Network', NETWORKS[network]]];
  if (credit !== undefined) {
    const { max_prepaid_msat: most, refund_after_ms: pause, keep_days: days } = credit;
    rows.push(
      ['Failed calls', 'Not charged; their price stays your credit.'],
      ['Refunds', `Unused credit is paid back over Lightning, ${pauseText(pause)}.`],
      ['Prepaid', `At most ${formatMsat(parseMsat(most))} for one payer.`],
      [
        'Kept',
        days === undefined
          ? 'Credit is owed for ever.'
          : `Credit is owed for ${days.toLocaleString('en-US')} days after a session ends.`,
      ],
      ['Your risk', 'Prepaid credit is a claim on this host alone: buy small bundles first.'],
    );
  }
  return html`<dl class="terms">
    ${rows.map(
      ([name, text]) =>
        html`<dt>${name}</dt>
          <dd>${text}</dd> `,
    )}
  </dl>`;
}

function pauseText(pauseMs: number): string {
  const minutes = Math.ceil(pauseMs / 60_000);
  if (minutes === 0) return 'at any time';
  return minutes === 1 ? 'at most once a minute' : `at most every ${minutes} minutes`;
}

const NETWORKS: Readonly<Record<Description['network'], string>> = {
  mainnet: 'Bitcoin',
  testnet: 'Bitcoin testnet: coins without value',
  signet: 'Bitcoin signet: coins without value',
  regtest: 'Bitcoin regtest: a private chain, coins without value',
};
