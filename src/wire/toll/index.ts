/** Toll: credentials, balances and descriptions of tollcall's own protocol. @module */
export {
  BALANCE_HEADER,
  balanceFromJson,
  balanceToJson,
  parseBalanceHeader,
  printBalanceHeader,
  type CallBalance,
} from './balance.ts';
export {
  ENCRYPTED_TYPE,
  fromAuthorization,
  parseAsk,
  parseCall,
  printAsk,
  printCall,
  toAuthorization,
  type AskCredential,
  type CallCredential,
} from './credential.ts';
export { MAX_FORMER_KEYS, MAX_REVOKED_KEYS } from './limits.ts';
export {
  DESCRIPTION_PATH,
  SERVICE_NAME,
  isDescriptionText,
  parseDescription,
  priceFromJson,
  priceToJson,
  type Description,
  type FormerKeyDescription,
  type PriceDescription,
  type ServiceDescription,
} from './description.ts';
export { isTick, parseTick, printTick, type TickCredential } from './tick.ts';
export { ticksFromJson, ticksText, ticksToJson, type TicksDescription } from './tick-price.ts';
