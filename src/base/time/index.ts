/** Time: the clock as an argument. @module */
export { MAX_WAIT_MS, formatTime, systemClock, unixMs, type Clock, type UnixMs } from './time.ts';
