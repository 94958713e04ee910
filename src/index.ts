export {
  SafeCloseError,
  InvalidOptionsError,
  SetupError,
  type OptionFault,
} from './core/errors.js';
export type { HandlersPolicy } from './core/close-request.js';
export type { Initiator } from './core/connection.context.js';
export type { ConnectionState } from './core/connection.phases.js';
export type {
  CloseOutcome,
  CloseRequestRecord,
  Handshake,
  LossCause,
  SendOutcome,
} from './core/outcomes.js';
export { REFUSAL_CAUSES, type RefusalCause } from './core/outcomes.js';
export type { OverflowPolicy } from './core/overflow.js';
export { RACE_KINDS, RACE_LEVELS, type RaceKind } from './core/races.js';
export type {
  CloseOptions,
  Connection,
  ConnectionRequest,
  SendOptions,
} from './runtime/connection.js';
export type { BroadcastOutcome } from './runtime/broadcast-tally.js';
export type { OnUnacknowledged } from './runtime/connection.policy.js';
export type { HandlerOrder } from './runtime/handler-call.js';
export { ConnectionClosingError } from './runtime/handler-calls.js';
export type { DrainPhase } from './core/drain.js';
export type { DrainProgress, DrainReport, SlowClose } from './runtime/drain.js';
export type { RaceDetail } from './runtime/lifecycle.observer.js';
export type { SendTotals } from './runtime/send-totals.js';
export type { CloseTimes, LifecycleReport } from './runtime/lifecycle.report.js';
export type { UnacknowledgedMessage } from './runtime/unacknowledged.js';
export type { MessageData } from './runtime/socket.port.js';
export type { CloseSummary } from './runtime/close-all.js';
export { ConnectionLifecycleInterceptor } from './nest/connection-lifecycle.interceptor.js';
export { ConnectionPolicy } from './nest/connection-policy.decorator.js';
export { ConnectionRejectedException } from './nest/connection-rejected.exception.js';
export { Concurrent, Conflate, Serial, type ConflationKey } from './nest/handler.decorators.js';
export { ConnectionSignal, CurrentConnection } from './nest/connection.decorators.js';
export { inStep } from './nest/in-step.js';
export type { LifecycleEvent } from './nest/lifecycle.events.js';
export { SafeCloseModule } from './nest/safe-close.module.js';
export type { OnGatewayDrain } from './nest/on-gateway-drain.js';
export type {
  Authorize,
  ConnectionPolicyOptions,
  MessageSerializer,
  Platform,
  SafeCloseOptions,
  ShutdownOptions,
} from './nest/safe-close.options.js';
export { SafeCloseService, type Client } from './nest/safe-close.service.js';
export type { DrainOptions } from './nest/shutdown.js';
export type { Target } from './nest/target.js';
export { SafeCloseWsAdapter } from './nest/safe-close.ws-adapter.js';
