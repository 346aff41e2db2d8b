/**
 * What a worker of `tollcall serve` loads before anything else: the configuration finds this
 * package, and code of a service that fails outside of a call ends nothing. Runs by itself; import
 * nothing from it.
 * @module
 */
import { openLog } from '../base/log/index.ts';
import { offerPackage } from './config-file.ts';
import { keepServing } from './stop-signal.ts';

offerPackage();
keepServing(openLog('error'));
