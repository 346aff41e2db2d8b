/** Random: the generator as an argument. @module */
export { seededRandom, systemRandom, type Random } from './random.ts';
