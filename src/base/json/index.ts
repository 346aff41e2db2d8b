/** JSON: strict parsing and the canonical form. @module */
export {
  canonicalJson,
  jsonObject,
  parseJson,
  textMember,
  type Json,
  type JsonObject,
} from './json.ts';
