/**
 * What the page can do beyond reading: compute prices, copy, follow the price list. Without it the
 * page still says everything else.
 */
(() => {
  'use strict';
  const REFRESH_MS = 30_000;
  const byId = (id) => document.getElementById(id);
  const cards = () => [...document.querySelectorAll('[data-service]')];

  /** The largest whole number whose square is at most `value`. */
  function rootFloor(value) {
    if (value < 2n) return value;
    let root = 1n << BigInt((value.toString(2).length + 1) >> 1);
    for (;;) {
      const next = (root + value / root) >> 1n;
      if (next >= root) return root;
      root = next;
    }
  }

  /** What so many calls cost together, in millisatoshis. */
  function totalMsat(price, calls) {
    const count = BigInt(calls);
    if (price.kind === 'each') return BigInt(price.price_msat) * count;
    if (price.kind === 'fixed') return BigInt(price.total_msat);
    const unit = BigInt(price.unit_msat);
    const minimum = BigInt(price.minimum_msat);
    const root = rootFloor(unit * unit * count);
    return root > minimum ? root : minimum;
  }

  function format(msat) {
    const whole = (msat / 1000n).toString().replaceAll(/\B(?=(\d{3})+$)/g, ',');
    const rest = (msat % 1000n).toString().padStart(3, '0').replace(/0+$/, '');
    return rest === '' ? `${whole} sat` : `${whole}.${rest} sat`;
  }

  function compute() {
    const name = byId('service').value;
    const card = cards().find((one) => one.dataset.service === name);
    const field = byId('calls');
    const most = Number(card.dataset.maxCalls);
    const calls = Number(field.value);
    const valid = /^\d{1,9}$/.test(field.value) && calls >= 1 && calls <= most;
    field.setAttribute('aria-invalid', String(!valid));
    const total = valid ? totalMsat(JSON.parse(card.dataset.price), calls) : 0n;
    const each = (total + BigInt(calls || 1) - 1n) / BigInt(valid ? calls : 1);
    byId('total').firstChild.data = valid ? format(total) : '–';
    byId('each').textContent = valid
      ? `${format(each)} a call, charged only when it succeeds`
      : `a whole number from 1 to ${most.toLocaleString('en-US')}`;
    for (const slot of document.querySelectorAll('[data-slot=service]')) slot.textContent = name;
    if (!valid) return;
    for (const slot of document.querySelectorAll('[data-slot=calls]')) slot.textContent = calls;
    for (const slot of document.querySelectorAll('[data-slot=total]')) slot.textContent = total;
    for (const slot of document.querySelectorAll('[data-slot=input]')) {
      slot.textContent = card.dataset.input;
    }
  }

  /** Puts new prices in place; a list of other services needs a new page. */
  function show(description) {
    const shown = cards();
    const same =
      shown.length === description.services.length &&
      shown.every((card, i) => card.dataset.service === description.services[i].name);
    if (!same || description.host_key_fingerprint !== document.body.dataset.fingerprint) {
      return 'This host has changed what it sells: load the page again.';
    }
    for (const [i, card] of shown.entries()) {
      const { price, max_calls: most } = description.services[i];
      card.dataset.price = JSON.stringify(price);
      card.dataset.maxCalls = most;
      for (const slot of card.querySelectorAll('dd[data-calls]')) {
        const calls = Number(slot.dataset.calls);
        slot.textContent = calls <= most ? format(totalMsat(price, calls)) : 'not sold';
      }
    }
    compute();
    return `Prices as of ${new Date().toLocaleTimeString()}; read again every 30 seconds.`;
  }

  async function refresh() {
    if (document.hidden) return;
    let text;
    try {
      const answer = await fetch('/.well-known/tollcall.json', { cache: 'no-cache' });
      text = show(await answer.json());
    } catch {
      text = 'The host does not answer at the moment; these prices may be old.';
    }
    byId('live').textContent = text;
  }

  for (const slot of document.querySelectorAll('[data-slot=host]')) {
    slot.textContent = location.host;
  }
  document.title = `${location.host} sells API calls`;
  /** Copies an example, or selects it where the browser does not let a page copy. */
  async function copy(button) {
    const code = byId(button.dataset.copy);
    let done = 'Copied';
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      getSelection().selectAllChildren(code);
      done = 'Selected';
    }
    byId('said').textContent = done;
    button.firstChild.data = done;
    setTimeout(() => (button.firstChild.data = 'Copy'), 2000);
  }

  for (const button of document.querySelectorAll('[data-copy]')) {
    button.hidden = false;
    button.addEventListener('click', () => void copy(button));
  }
  if (cards().length > 0) {
    byId('calculator').hidden = false;
    byId('plain').hidden = true;
    byId('calculator').addEventListener('input', compute);
    byId('calculator').addEventListener('submit', (event) => event.preventDefault());
    compute();
  }
  document.addEventListener('visibilitychange', () => void refresh());
  setInterval(() => void refresh(), REFRESH_MS);
  void refresh();
})();
