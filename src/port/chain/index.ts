/** Chain: the port and its adapters. @module */
export type { Block, Chain, Coin, Submitted } from './chain.ts';
