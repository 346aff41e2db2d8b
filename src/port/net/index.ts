/** Net: requests out. @module */
export type { Net, NetRequest, NetResponse } from './net.ts';
export { openNet } from './undici.ts';
