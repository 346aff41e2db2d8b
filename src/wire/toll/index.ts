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
  fromAuthorization,
  parseAsk,
  parseCall,
  printAsk,
  printCall,
  toAuthorization,
  type AskCredential,
  type CallCredential,
} from './credential.ts';
export {
  DESCRIPTION_PATH,
  SERVICE_NAME,
  isDescriptionText,
  parseDescription,
  priceFromJson,
  priceToJson,
  type Description,
  type PriceDescription,
  type ServiceDescription,
} from './description.ts';
