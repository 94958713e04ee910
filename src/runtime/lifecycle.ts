import { CONNECTING, OPEN, type ConnectionContext } from '../core/connection.context.js';
import type { Effect } from '../core/connection.effects.js';
import type { ConnectionEvent } from '../core/connection.events.js';
import {
  PHASE_FACTS,
  type ConnectionState,
  type Phase,
  type TimerName,
} from '../core/connection.phases.js';
import { transition } from '../core/connection.transition.js';
import type { Clock } from './clock.js';
import type { CloseOptions } from './connection.js';
import type { ConnectionPolicyValues } from './connection.policy.js';
import { PhaseTimer, type PhaseTimerHost } from './phase-timer.js';
import type { SocketPort } from './socket.port.js';

function isBudget(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0;
}

/**
 * The part of the time left that handlers leave to the close frame: little enough that the default
 * settleTimeout of 5 s holds within the default shutdown.timeout of 10 s.
 */
const CLOSE_SHARE = 0.25;

/** Of most events nothing comes while they are handled. */
const NO_EVENTS: ConnectionEvent[] = [];

/** By when a close must have come how far, where somebody asks for less than the policy gives. */
interface CloseBounds {
  settleTimeout: number;
  flushTimeout: number;
  handshakeTimeout: number;
  /** The moment by which everything must have ended. */
  endAt: number;
}

/**
 * Runs the transition table for one connection: one event at a time, its effects in their order,
 * and the timers that its phases ask for. It holds no rule of its own about what may follow what.
 */
export abstract class Lifecycle implements PhaseTimerHost {
  protected readonly runtime: { readonly clock: Clock };
  protected readonly port: SocketPort;
  readonly policy: ConnectionPolicyValues;
  protected context: ConnectionContext = OPEN;

  /** Those that came while another was being handled; `undefined`: none is. */
  #events: ConnectionEvent[] | undefined;
  #timer: PhaseTimer | undefined;
  #bounds: CloseBounds | undefined;

  constructor(
    runtime: { readonly clock: Clock },
    port: SocketPort,
    policy: ConnectionPolicyValues,
  ) {
    this.runtime = runtime;
    this.port = port;
    this.policy = policy;
  }

  get clock(): Clock {
    return this.runtime.clock;
  }

  get state(): ConnectionState {
    if (this.port.connecting && this.live) return 'connecting';
    return PHASE_FACTS[this.context.phase].state;
  }

  /** Closing has not begun. */
  get live(): boolean {
    return this.context === OPEN || this.context === CONNECTING;
  }

  /** A message may be accepted for sending. */
  get accepting(): boolean {
    return PHASE_FACTS[this.context.phase].accepts;
  }

  protected abstract perform(effect: Effect): void;
  /** The connection has left `connecting` or `open`; its effects follow. */
  protected abstract onClosing(): void;
  /** From now on no message is accepted. */
  protected abstract onRefusing(): void;
  protected abstract onIllegalEvent(error: unknown): void;
  /** What a timer's expiry means. */
  protected abstract expiryOf(name: TimerName): ConnectionEvent;

  /** What effects cause is handled after them. */
  protected handle(event: ConnectionEvent): void {
    if (this.#events) {
      if (this.#events === NO_EVENTS) this.#events = [event];
      else this.#events.push(event);
      return;
    }
    this.#events = NO_EVENTS;
    try {
      this.#step(event);
      for (let next = this.#events.shift(); next; next = this.#events.shift()) this.#step(next);
    } finally {
      // Also where a method of the app's own WebSocket class throws: its timers still end it.
      this.#events = undefined;
    }
  }

  protected awaitReady(): void {
    // A subscriber that was told of the connection may have closed it.
    if (this.context === OPEN) this.context = CONNECTING;
  }

  /** From now on it waits for no longer than it may: most are ready in the turn in which they came. */
  protected boundReadiness(): void {
    if (this.context === CONNECTING && !this.#timer) this.#startTimer();
  }

  /** The reader has taken something: the timer of the phase counts from now. */
  protected progressed(): void {
    this.#timer?.progressed();
  }

  /** The tightest budget of all who close decides; one that is no positive number is ignored. */
  protected tighten({ flushTimeout, handshakeTimeout }: CloseOptions): void {
    if (isBudget(flushTimeout)) {
      this.#bound.flushTimeout = Math.min(this.#bound.flushTimeout, flushTimeout);
    }
    if (isBudget(handshakeTimeout)) {
      this.#bound.handshakeTimeout = Math.min(this.#bound.handshakeTimeout, handshakeTimeout);
    }
    if (this.#bounds) this.#timer?.arm();
  }

  /**
   * Clamps every close, one that has begun included, so that it ends by a moment of the monotonic
   * clock. Handlers leave a quarter of the time, at most what the rest may take, to the close frame.
   */
  endBy(at: number): void {
    const bound = this.#bound;
    if (at >= bound.endAt) return;
    bound.endAt = at;
    const left = Math.max(0, at - this.clock.monotonic());
    const rest = Math.min(bound.flushTimeout + bound.handshakeTimeout, left * CLOSE_SHARE);
    bound.settleTimeout = Math.min(bound.settleTimeout, left - rest);
    bound.flushTimeout = Math.min(bound.flushTimeout, left);
    bound.handshakeTimeout = Math.min(bound.handshakeTimeout, left);
    this.#timer?.arm();
    this.#timer?.cap(at);
  }

  /** Milliseconds until the moment of `endBy`; infinite without one. */
  protected get timeLeft(): number {
    if (!this.#bounds) return Number.POSITIVE_INFINITY;
    return Math.max(0, this.#bounds.endAt - this.clock.monotonic());
  }

  get #bound(): CloseBounds {
    return (this.#bounds ??= {
      settleTimeout: this.policy.handlers.settleTimeout,
      flushTimeout: this.policy.close.flushTimeout,
      handshakeTimeout: this.policy.close.handshakeTimeout,
      endAt: Number.POSITIVE_INFINITY,
    });
  }

  #step(event: ConnectionEvent): void {
    const { phase } = this.context;
    let effects: readonly Effect[];
    try {
      ({ context: this.context, effects } = transition(this.context, event));
    } catch (error) {
      this.onIllegalEvent(error);
      return;
    }
    if (phase !== this.context.phase) this.#leave(phase);
    // By index, as in `transition`.
    for (let i = 0; i < effects.length; i++) {
      const effect = effects[i]!;
      if (effect === 'restart-timer') this.progressed();
      else this.perform(effect);
    }
  }

  /** Tells what ended with a phase, and bounds the one that has begun. */
  #leave(phase: Phase): void {
    if ((phase === 'open' || phase === 'connecting') && !this.live) this.onClosing();
    this.#startTimer();
    if (PHASE_FACTS[phase].accepts && !this.accepting) this.onRefusing();
  }

  #startTimer(): void {
    const { timer, capped } = PHASE_FACTS[this.context.phase];
    if (timer || capped) {
      const cap = capped ? Math.min(this.policy.close.maxTimeout, this.timeLeft) : undefined;
      (this.#timer ??= new PhaseTimer(this.clock, this)).start(timer, cap);
    } else {
      this.#timer?.stop();
      this.#timer = undefined;
    }
  }

  onCap(): void {
    this.handle({ type: 'deadline' });
  }

  onTimer(name: TimerName): void {
    this.handle(this.expiryOf(name));
  }

  progressMark(): number {
    return this.port.progressMark();
  }

  timeoutOf(name: TimerName): number {
    switch (name) {
      case 'ready':
        return this.policy.connect.timeout;
      case 'settle':
        return (this.#bounds ?? this.policy.handlers).settleTimeout;
      case 'flush':
        return (this.#bounds ?? this.policy.close).flushTimeout;
      case 'handshake':
        return (this.#bounds ?? this.policy.close).handshakeTimeout;
    }
  }
}
