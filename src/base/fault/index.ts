/** Faults: one table of codes, one error class. @module */
export { FAULTS, type FaultCode } from './table.ts';
export type { FaultRow, MoneyState, Retry } from './row.ts';
export {
  Fault,
  asFault,
  fromProblem,
  isFault,
  isFaultCode,
  isHostCode,
  toProblem,
  type FaultDetail,
  type Problem,
} from './fault.ts';
