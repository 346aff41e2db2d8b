/** Faults: one table of codes, one error class. @module */
export { FAULTS, type FaultCode, type FaultRow, type MoneyState, type Retry } from './table.ts';
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
