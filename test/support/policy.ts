import {
  DEFAULT_POLICY,
  type ConnectionPolicyValues,
} from '../../src/runtime/connection.policy.js';

/** Some of the policy; the defaults are the rest, but for the heartbeat, which is off. */
export type PolicyPart = {
  readonly [Group in Exclude<keyof ConnectionPolicyValues, 'heartbeat'>]?: Partial<
    ConnectionPolicyValues[Group]
  >;
} & Partial<Pick<ConnectionPolicyValues, 'heartbeat'>>;

export function policyOf(part: PolicyPart = {}): ConnectionPolicyValues {
  return {
    connect: { ...DEFAULT_POLICY.connect, ...part.connect },
    send: { ...DEFAULT_POLICY.send, ...part.send },
    close: { ...DEFAULT_POLICY.close, ...part.close },
    handlers: { ...DEFAULT_POLICY.handlers, ...part.handlers },
    limits: { ...part.limits },
    heartbeat: part.heartbeat ?? false,
    session: { ...DEFAULT_POLICY.session, ...part.session },
  };
}
