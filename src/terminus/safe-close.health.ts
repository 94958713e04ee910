import { Inject, Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { SafeCloseService } from '../nest/safe-close.service.js';

/** How much of each this process is meant to take; what is left out is reported, and not judged. */
export interface SaturationLimits {
  readonly connections?: number;
  readonly handlersInFlight?: number;
  /** Bytes accepted for sending that no kernel has taken. */
  readonly bufferedBytes?: number;
}

/** What this process carries at the moment. */
type Load = Required<SaturationLimits>;

/**
 * Whether clients should be sent here, for `@nestjs/terminus`. List it among the providers of the
 * module that has your health controller, beside `TerminusModule`.
 */
@Injectable()
export class SafeCloseHealthIndicator {
  readonly #service: SafeCloseService;
  readonly #indicators: HealthIndicatorService;

  constructor(
    @Inject(SafeCloseService) service: SafeCloseService,
    @Inject(HealthIndicatorService) indicators: HealthIndicatorService,
  ) {
    this.#service = service;
    this.#indicators = indicators;
  }

  /**
   * Down while the server drains, and where the load has reached a limit. `saturation` is the load
   * over its limit, of the fullest: 1 is full. For readiness, not for liveness: who is full must
   * not be restarted.
   *
   * @param key - the name in the report
   */
  isHealthy<const Key extends string>(
    key: Key,
    limits: SaturationLimits = {},
  ): HealthIndicatorResult<Key> {
    const load = this.#load();
    const saturation = saturationOf(load, limits);
    const draining = this.#service.isDraining;
    const details = { draining, saturation, ...load };
    const indicator = this.#indicators.check(key);
    return draining || saturation >= 1 ? indicator.down(details) : indicator.up(details);
  }

  #load(): Load {
    const load = { connections: 0, handlersInFlight: 0, bufferedBytes: 0 };
    for (const { inFlight, bufferedAmount } of this.#service.connections) {
      load.connections++;
      load.handlersInFlight += inFlight;
      load.bufferedBytes += bufferedAmount;
    }
    return load;
  }
}

function saturationOf(load: Load, limits: SaturationLimits): number {
  const ratios = (Object.keys(load) as (keyof Load)[]).map((name) => {
    const limit = limits[name];
    return limit === undefined ? 0 : load[name] / limit;
  });
  return Math.max(...ratios);
}
