import type { SafeCloseOptions } from 'nestjs-safe-close';
import type { RaceApp } from './race.app.js';

export interface Race {
  readonly name: string;
  /** What the safe app sets beyond the defaults. */
  readonly options?: SafeCloseOptions;
  /** What happened, in a few words with measured figures. */
  readonly run: (app: RaceApp) => Promise<string>;
}
