/** JSON: strict parsing and the canonical form. @module */
export {
  MAX_JSON_DEPTH,
  canonicalJson,
  canonicalText,
  jsonObject,
  parseJson,
  textMember,
  type Json,
  type JsonObject,
} from './json.ts';
