/**
 * A small picture of a fingerprint: two keys that differ look different at a glance. It helps to
 * notice, it proves nothing.
 * @module
 */
import { html, type Markup } from './html.ts';

const CELLS = 5;
const HALF = 3;

/** The picture, in the colour of the text around it. */
export function fingerprintMark(fingerprint: string): Markup {
  return html`<svg width="60" height="60" viewBox="0 0 5 5" aria-hidden="true" fill="currentColor">
    <path d="${path(fingerprint)}" />
  </svg>`;
}

/** The same as a data URL, for the tab. */
export function fingerprintIcon(fingerprint: string): string {
  const svg = html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="-.5 -.5 6 6" fill="#c46a12">
    <path d="${path(fingerprint)}" />
  </svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg.text)}`;
}

/** A cell for each of the first 15 digits that is odd, mirrored left to right. */
function path(fingerprint: string): string {
  const places = Array.from({ length: CELLS * HALF }, (_, i) => i);
  const cells = places.flatMap((i) => {
    if (Number.parseInt(fingerprint.charAt(i), 16) % 2 === 0) return [];
    const [x, y] = [i % HALF, Math.floor(i / HALF)];
    return [x, CELLS - 1 - x].map((column) => `M${column} ${y}h1v1h-1z`);
  });
  return [...new Set(cells)].join('');
}
