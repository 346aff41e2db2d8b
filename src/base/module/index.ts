/** Module: finds files beside a module, in sources and in what was built of them. @module */
export { isBuilt, moduleBeside } from './module.ts';
