/** Web: the page that a host shows to people. @module */
export { hostPage } from './page.ts';
