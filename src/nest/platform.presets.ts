import type { ConnectionPolicyOptions, Platform, ShutdownOptions } from './safe-close.options.js';

interface PlatformPreset {
  readonly name: string;
  /** Milliseconds from SIGTERM to SIGKILL. */
  readonly grace: number;
  /** The longest that the platform lets a connection live. */
  readonly maxAge?: number;
  /** Kept of `grace` for what the app does once its connections are closed. */
  readonly reserve: number;
  readonly defaults: ConnectionPolicyOptions & { readonly shutdown: ShutdownOptions };
}

export const PLATFORM_PRESETS: Readonly<Record<Platform, PlatformPreset>> = {
  // https://cloud.google.com/run/docs/container-contract#instance-shutdown: 10 s.
  // https://cloud.google.com/run/docs/triggering/websockets: a request lasts 60 min at most.
  'cloud-run': {
    name: 'Cloud Run',
    grace: 10_000,
    maxAge: 3_600_000,
    reserve: 1_000,
    defaults: {
      shutdown: { timeout: 8_000, readinessDelay: 0 },
      handlers: { settleTimeout: 3_000 },
      close: { flushTimeout: 2_000, handshakeTimeout: 2_000, maxTimeout: 8_000 },
      session: { maxAge: 3_300_000 },
    },
  },
  // https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination: 30 s, and
  // endpoints are removed while SIGTERM is delivered, not before.
  kubernetes: {
    name: 'Kubernetes',
    grace: 30_000,
    reserve: 3_000,
    defaults: {
      shutdown: { timeout: 25_000, readinessDelay: 5_000 },
      handlers: { settleTimeout: 10_000 },
      close: { flushTimeout: 5_000, handshakeTimeout: 5_000, maxTimeout: 20_000 },
    },
  },
};
