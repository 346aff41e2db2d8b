/** Logs in which a secret cannot appear. @module */
export { openLog, silentLog, type Log, type LogFields, type LogLevel } from './log.ts';
