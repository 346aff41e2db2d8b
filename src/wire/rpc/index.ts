/** JSON-RPC 2.0 envelopes. @module */
export {
  parseRequest,
  parseResponse,
  printError,
  printRequest,
  printResult,
  rpcCode,
  salvageId,
  spliceResult,
  type RpcRequest,
} from './rpc.ts';
