import { Subject } from 'rxjs';
import { CONNECTING, OPEN, type ConnectionContext } from '../../../src/core/connection.context.js';
import type { Phase } from '../../../src/core/connection.phases.js';
import type { CloseOutcome, SendOutcome } from '../../../src/core/outcomes.js';
import { BroadcastTally } from '../../../src/runtime/broadcast-tally.js';
import type { CloseOptions } from '../../../src/runtime/connection.js';
import type { Owner } from '../../../src/runtime/owner.js';
import type { Settle } from '../../../src/runtime/send-request.js';
import { SharedMessage } from '../../../src/runtime/socket.port.js';
import type { UnacknowledgedMessage } from '../../../src/runtime/unacknowledged.js';
import type { Frame } from '../../support/fakes/frames.js';
import { BatchingPort } from '../../support/fakes/batching.port.js';
import type { TaskKind } from '../../support/fakes/task.queue.js';
import { Connected, deferred, type Deferred } from '../harness.js';
import {
  BUDGETS,
  CODES,
  type Command,
  type HandlerKind,
  type Reaction,
  type Setting,
} from './schedule.types.js';

/** A message, as its sender knows it. */
export interface Sent {
  readonly text: string;
  /** Not refused, as far as is known: who waits for room may still be. */
  accepted: boolean;
  /** It was not refused at once. */
  taken: boolean;
  readonly conflate: string | undefined;
  /** It was sent before the macrotask of the close was over, by somebody who may. */
  readonly inGrace: boolean;
  readonly acknowledge: boolean;
  readonly waited: boolean;
  readonly outcomes: SendOutcome[];
  /** Its outcome comes by a promise, a few microtasks later. */
  readonly promised?: boolean;
}

export interface Asked {
  /** Messages accepted when it was asked whether all were read. */
  readonly accepted: number;
  readonly answers: boolean[];
}

/** A handler that was started. */
export interface Started {
  readonly text: string;
  readonly kind: HandlerKind;
  readonly phase: Phase;
  readonly hooksPending: number;
  readonly deferred: Deferred | undefined;
}

interface Sending {
  readonly bytes: number;
  readonly acknowledge: boolean;
  readonly conflate?: string | undefined;
  readonly abortable?: boolean;
  readonly then?: Reaction;
}

function* generate(text: string): Generator<string> {
  for (let value = 0; value < 5; value++) yield `value ${value} of ${text}`;
}

/** The part of an owner that only its own class may see. */
interface Inner {
  context: ConnectionContext;
}

const TASK_KINDS: readonly TaskKind[] = ['reading', 'arrival', 'written'];

const GATEWAYS = [{ name: 'First' }, { name: 'Second' }];

/** Nothing can be written any more, as somebody terminated or the peer has gone. */
const GIVEN_UP = new Set<Phase>(['closing.end', 'closing.terminate', 'closed']);

/** How often user code acts where it is called; it would go on for ever otherwise. */
const MOST_REACTIONS = 20;

/** Enough for what a settled promise starts. */
export async function microtasks(): Promise<void> {
  // oxlint-disable-next-line no-await-in-loop
  for (let count = 0; count < 6; count++) await Promise.resolve();
}

/** One connection on fake sockets, what happens to it, and the truth about all of it. */
export class World {
  readonly connected: Connected;
  readonly owner: Owner;
  readonly sent: Sent[] = [];
  readonly asked: Asked[] = [];
  readonly started: Started[] = [];
  readonly subjects: Subject<unknown>[] = [];
  readonly phases: Phase[];
  readonly closeOutcomes: CloseOutcome[] = [];
  /** Reasons of requests in the order in which they were made, before the end. */
  readonly requested: string[] = [];
  /** How many requests there were when the close frame was written. */
  requestsAtClose: number | undefined;
  /** Text of messages in the order in which they were handed to the socket. */
  readonly handed: string[] = [];
  readonly peerSent: string[] = [];
  /** How many messages the peer's user had when the peer began to close. */
  peerClosedAt: number | undefined;
  readonly whenReadyCalls: number[] = [];
  whenReadyCount = 0;
  readonly faults: string[] = [];
  /** Sent to a good peer, and so to be `written`. */
  readonly owed: Sent[] = [];
  /** What the app was handed back. */
  handedBack: readonly UnacknowledgedMessage[] | undefined;

  #aborter = new AbortController();
  #grace = false;
  #peerLeft = false;
  #pingsIgnored = false;
  /** How often user code acted where it was called. */
  reactions = 0;
  #hooks: { name: string }[];
  readonly #setting: Setting;

  constructor(setting: Setting) {
    this.#setting = setting;
    const { peer: habits, highWaterMark, kernelBuffer, batching, maxPendingBytes } = setting;
    const { messagesPerSecond: rate } = setting;
    this.connected = new Connected({
      kernelBuffer,
      batching,
      maxTotalBuffered: setting.maxTotalBuffered * highWaterMark,
      policy: {
        connect: { timeout: BUDGETS.ready, maxPendingBytes },
        send: {
          highWaterMark,
          maxBuffered: setting.maxBuffered * highWaterMark,
          overflow: setting.overflow,
          acknowledge: setting.acknowledge,
          ...(setting.keeps && { onUnacknowledged: (_, messages) => this.#handBack(messages) }),
        },
        close: {
          handlers: setting.handlers,
          flushTimeout: BUDGETS.flush,
          handshakeTimeout: BUDGETS.handshake,
          maxTimeout: BUDGETS.cap,
        },
        handlers: {
          order: setting.order,
          maxInFlight: setting.maxInFlight,
          maxQueuedBytes: setting.maxQueuedBytes,
          settleTimeout: BUDGETS.settle,
        },
        limits: { ...(rate !== undefined && { messagesPerSecond: rate }) },
      },
    });
    this.owner = this.connected.owner;
    const { clock, peer, port, told } = this.connected;
    const endMacrotask = clock.endMacrotask.bind(clock);
    clock.endMacrotask = () => {
      // A tick ends before its macrotask does.
      if (port instanceof BatchingPort) port.endTick();
      this.#grace = false;
      endMacrotask();
    };
    Object.assign(peer.habits, {
      answersPings: habits.answersPings,
      answersClose: habits.answersClose,
      discardsAfterClose: habits.discardsAfterClose,
    });
    if (habits.paused) peer.pause();
    this.#pingsIgnored = !habits.answersPings;
    port.resets = setting.resets;
    port.patient = setting.patient;
    port.stuck = setting.stuck;
    this.#watchSends();
    this.#watchBatches();
    this.#watchPort();
    told.during = (line) => this.#told(line);
    this.#hooks = GATEWAYS.slice(0, setting.hooks);
    this.owner.awaitReadiness();
    this.phases = [this.phase];
    this.#watchPhases();
    for (const gateway of this.#hooks) this.owner.beginHook(gateway);
    this.owner.sealReadiness();
    this.connected.handleBy((text) => this.#handle(text));
  }

  get phase(): Phase {
    return (this.owner as unknown as Inner).context.phase;
  }

  get context(): ConnectionContext {
    return (this.owner as unknown as Inner).context;
  }

  get hooksPending(): number {
    return this.#hooks.length;
  }

  get keeps(): boolean {
    return this.#setting.keeps || this.#setting.acknowledge;
  }

  get mostInFlight(): number {
    return this.#setting.order === 'serial' ? 1 : this.#setting.maxInFlight;
  }

  get limit(): number {
    const { maxBuffered, maxTotalBuffered, highWaterMark } = this.#setting;
    return Math.min(maxBuffered, maxTotalBuffered) * highWaterMark;
  }

  get accepted(): Sent[] {
    return this.sent.filter(({ accepted }) => accepted);
  }

  perform(command: Command): void {
    this.#perform(command);
    const { network } = this.#setting;
    const timePassed = command.do === 'advance' || command.do === 'advanceToTimer';
    if (network === 'prompt' || (network === 'follows time' && timePassed)) this.connected.io.run();
  }

  #perform(command: Command): void {
    const { clock, io, peer, port } = this.connected;
    switch (command.do) {
      case 'send':
        this.#send(command);
        break;
      case 'abortSends':
        this.#aborter.abort();
        this.#aborter = new AbortController();
        break;
      case 'post':
        this.owner.post('p', this.sent.length);
        break;
      case 'sendPlain':
        void this.owner.send(`#${this.sent.length}`.padEnd(command.bytes, '.'));
        break;
      case 'broadcast':
        for (let sent = 0; sent < command.times; sent++) this.#broadcast(command);
        break;
      case 'sendUnsendable':
        void this.owner.send({} as never);
        break;
      case 'ask':
        this.#ask(command.timeout);
        break;
      case 'close':
        this.#close(CODES[command.code], command.options);
        break;
      case 'terminate':
        this.#terminate();
        break;
      case 'endMacrotask':
        clock.endMacrotask();
        break;
      case 'io':
        for (let count = 0; count < command.count; count++) io.runNext(command.kind);
        break;
      case 'settleIo':
        io.run();
        break;
      case 'settleIoBut':
        for (const kind of TASK_KINDS) if (kind !== command.kind) io.run(kind);
        break;
      case 'ping':
        port.ping(Buffer.alloc(command.bytes));
        break;
      case 'pause':
        if (this.owner.live) port.pause();
        break;
      case 'advance':
        clock.advance(command.ms);
        break;
      case 'advanceToTimer':
        clock.advance(Math.max(0, (clock.nextTimerIn ?? 0) - (command.just === 'before' ? 1 : 0)));
        break;
      case 'peerSend': {
        const text = `${this.peerSent.length}:${command.handler}:`.padEnd(command.bytes, '.');
        this.peerSent.push(text);
        peer.send(text);
        break;
      }
      case 'peerRead':
        peer.read(command.bytes);
        break;
      case 'peerPause':
        peer.pause();
        break;
      case 'peerResume':
        peer.resume();
        break;
      case 'peerPing':
        peer.ping(Buffer.from('peer'));
        break;
      case 'peerPongsAgain':
        for (const frame of peer.frames) if (frame.type === 'ping') peer.pong(frame.payload);
        break;
      case 'peerAnswersPings':
        this.#pingsIgnored ||= !command.answers;
        peer.habits.answersPings = command.answers;
        break;
      case 'peerClose':
        peer.close(CODES[command.code] ?? 1005, 'peer');
        break;
      case 'peerEnd':
        this.#peerLeft = true;
        peer.end();
        break;
      case 'peerReset':
        this.#peerLeft = true;
        peer.reset();
        break;
      case 'peerBreaks':
        this.#peerLeft = true;
        peer.breakProtocol();
        break;
      case 'hookSettles': {
        const gateway = this.#hooks.shift();
        if (gateway) this.owner.settleHook(gateway);
        break;
      }
      case 'hookRejects':
        if (this.#hooks.shift()) {
          if (this.owner.live) this.requested.push('hook');
          this.owner.reject(CODES[command.code], 'hook');
        }
        break;
      case 'handlerResolves':
        this.#deferredAt(command.which)?.resolve(this.#result(command.with));
        break;
      case 'handlerRejects':
        this.#deferredAt(command.which)?.reject(new Error('handler'));
        break;
      case 'observableEmits':
        this.#subjectAt(command.which)?.next(`value ${this.sent.length}`);
        break;
      case 'observableEnds':
        this.#subjectAt(command.which)?.complete();
        break;
      case 'whenReady': {
        const index = this.whenReadyCount++;
        this.owner.whenReady(() => {
          this.whenReadyCalls.push(index);
          if (this.phase === 'connecting') this.faults.push('G7 called back while connecting');
          this.#react(command.then);
        });
        break;
      }
      case 'onAbort':
        this.owner.signal.addEventListener('abort', () => this.#react(command.then));
        break;
      case 'onTold':
        this.connected.told.during = (line) => {
          this.#told(line);
          this.#react(command.then);
        };
        break;
    }
  }

  /** From now on the peer is a good one. */
  reform(): void {
    const { io, peer, port } = this.connected;
    this.reactions = MOST_REACTIONS;
    Object.assign(peer.habits, {
      answersPings: true,
      answersClose: true,
      discardsAfterClose: false,
    });
    for (const gateway of this.#hooks.splice(0)) this.owner.settleHook(gateway);
    port.resume();
    peer.resume();
    io.run();
  }

  /** All that the peer, which has become a good one, was to get and to answer must be so. */
  async finishWell(): Promise<void> {
    const { io, port, told } = this.connected;
    // What the kernel has taken at once is told in a microtask where somebody waits for it.
    const settle = async (work: () => void): Promise<void> => {
      do {
        work();
        // oxlint-disable-next-line no-await-in-loop
        await microtasks();
      } while (io.pending() > 0);
    };
    await settle(() => io.run());
    // While messages wait for handlers that never end, no pong is read.
    if (port.paused) return;
    if (this.#pingsIgnored && (this.#setting.keeps || this.#setting.maxBuffered < Infinity)) return;
    if (this.owner.queuedBytes > 0) this.faults.push('messages wait for nothing');
    if (port.bufferedAmount > 0) this.faults.push('the socket is not flushed');
    const held = this.connected.runtime.buffers.used > 0 && !this.#pingsIgnored;
    if (held) this.faults.push('room is held for nothing');
    for (const sent of this.sent) {
      const { text, accepted, acknowledge, waited, outcomes } = sent;
      if (!accepted || !waited || outcomes[0]?.status === 'dropped') continue;
      if (sent.promised) {
        this.owed.push(sent);
        continue;
      }
      const status = outcomes[0]?.status ?? 'pending';
      const expected = acknowledge ? 'acknowledged' : 'written';
      if (status !== expected && !(acknowledge && this.#pingsIgnored)) {
        this.faults.push(`G3 ${text} is ${status} where it should be ${expected}`);
      }
    }
    for (const bytes of [500, 5, 50]) {
      this.#send({ bytes, acknowledge: true });
      // oxlint-disable-next-line no-await-in-loop
      await settle(() => io.run());
    }
    this.#close(4000, { handlers: 'abort' });
    await settle(() => this.connected.turn());
    const { outcome } = told;
    const read = outcome?.acknowledged || (outcome?.dropped ?? 0) > 0;
    const well = outcome?.handshake === 'clean' && read && outcome.lost === 0;
    if (!well || outcome.durationMs > 0) {
      this.faults.push(`a close with a good peer goes ill: ${JSON.stringify(outcome)}`);
    }
  }

  /** It lives, and so does the peer. */
  get mayFinishWell(): boolean {
    return (
      this.#setting.ending === 'with a good peer' &&
      this.owner.live &&
      this.connected.port.writable &&
      this.peerClosedAt === undefined &&
      !this.#peerLeft
    );
  }

  /** Lets it end: by what is under way, and if nothing is, by a close. */
  finish(): void {
    const { clock, io, told } = this.connected;
    for (let step = 0; !told.outcome && step < 10_000; step++) {
      this.connected.turn();
      if (this.owner.live && step > 0) this.#close(1000, {});
      else if (!told.outcome) clock.advance(clock.nextTimerIn ?? 0);
    }
    // What is late must not matter.
    for (const { deferred: late } of this.started) late?.resolve('late');
    for (const subject of this.subjects) subject.next('late');
    for (const gateway of this.#hooks) this.owner.settleHook(gateway);
    io.run();
    clock.endMacrotask();
  }

  #told(line: string): void {
    if (line === 'closing' && !GIVEN_UP.has(this.phase)) this.#grace = true;
  }

  #send({ bytes, acknowledge, conflate, abortable, then = 'nothing' }: Sending): void {
    const text = `#${this.sent.length}`.padEnd(bytes, '.');
    const request = {
      acknowledge,
      ...(conflate && { conflate }),
      ...(abortable && { signal: this.#aborter.signal }),
    };
    this.owner.submit(text, request, () => this.#react(then));
  }

  #broadcast({ bytes, framed }: { readonly bytes: number; readonly framed: boolean }): void {
    const text = `#${this.sent.length}`.padEnd(bytes, '.');
    const message = new SharedMessage(Buffer.from(text), false);
    if (framed) message.frame = message.data;
    const tally = new BroadcastTally(1);
    const outcomes: SendOutcome[] = [];
    tally.onComplete = () => {
      if (tally.written + tally.lost !== 1)
        this.faults.push(`G3 ${text} is neither written nor lost`);
      const lost = { status: 'lost', cause: 'network', sent: 'maybe' } as const;
      this.#note(text, outcomes, tally.lost > 0 ? lost : { status: 'written' });
    };
    const inGrace = this.#grace && !GIVEN_UP.has(this.phase);
    if (this.owner.submitShared(message, tally)) {
      const fate = { accepted: true, taken: true, waited: true, outcomes };
      this.sent.push({ text, ...fate, conflate: undefined, inGrace, acknowledge: false });
    } else {
      this.owner.submit(message.data, { binary: false, shared: message }, () => {});
    }
  }

  /** An outcome is true when it is told, and not only in the end. */
  #note(text: string, outcomes: SendOutcome[], outcome: SendOutcome): void {
    outcomes.push(outcome);
    const { port, peer } = this.connected;
    const has = (frames: readonly Frame[]): boolean =>
      frames.some((frame) => frame.type === 'message' && frame.data.toString() === text);
    if (outcome.status === 'written' && !has(port.taken)) {
      this.faults.push(`G3 ${text} is called written, and the kernel does not have it`);
    }
    if (outcome.status === 'acknowledged' && !has(peer.frames)) {
      this.faults.push(`G3 ${text} is called acknowledged, and the peer does not have it`);
    }
  }

  #handBack(messages: readonly UnacknowledgedMessage[]): void {
    if (this.handedBack) this.faults.push('G3 handed back twice');
    this.handedBack = messages;
  }

  #ask(timeout: number): void {
    const asked: Asked = { accepted: this.owner.totals.accepted, answers: [] };
    this.asked.push(asked);
    void this.owner.acknowledged(timeout).then((answer) => asked.answers.push(answer));
  }

  #close(code: number | undefined, options: CloseOptions): void {
    const reason = `close ${this.requested.length}`;
    if (this.phase !== 'closed') this.requested.push(reason);
    void this.owner
      .close(code, reason, options)
      .then((outcome) => this.closeOutcomes.push(outcome));
  }

  #terminate(): void {
    void this.owner.terminate().then((outcome) => this.closeOutcomes.push(outcome));
  }

  #react(reaction: Reaction): void {
    if (reaction === 'nothing' || ++this.reactions > MOST_REACTIONS) return;
    if (reaction === 'send') this.#send({ bytes: 10, acknowledge: false });
    else if (reaction === 'ask') this.#ask(10);
    else if (reaction === 'close') this.#close(4002, {});
    else this.#terminate();
  }

  #handle(text: string): unknown {
    const kind = text.split(':')[1] as HandlerKind;
    const waits = kind === 'promise' ? deferred() : undefined;
    this.started.push({
      text,
      kind,
      phase: this.phase,
      hooksPending: this.#hooks.length,
      deferred: waits,
    });
    switch (kind) {
      case 'reply':
        return `reply to ${text}`;
      case 'nothing':
        return undefined;
      case 'throw':
        throw new Error('handler');
      case 'promise':
        return waits!.promise;
      case 'observable':
        return this.#subject();
      case 'generator':
        return generate(text);
      case 'closes':
        this.#close(4003, {});
        return 'reply of one that closes';
    }
  }

  #result(kind: 'value' | 'nothing' | 'observable'): unknown {
    if (kind === 'nothing') return undefined;
    return kind === 'value' ? `resolved ${this.sent.length}` : this.#subject();
  }

  #subject(): Subject<unknown> {
    const subject = new Subject<unknown>();
    this.subjects.push(subject);
    return subject;
  }

  #deferredAt(which: number): Deferred | undefined {
    const waiting = this.started.filter(({ deferred: waits }) => waits);
    return waiting[which % waiting.length]?.deferred;
  }

  #subjectAt(which: number): Subject<unknown> | undefined {
    return this.subjects[which % this.subjects.length];
  }

  #watchPhases(): void {
    let context = this.context;
    Object.defineProperty(this.owner, 'context', {
      get: () => context,
      set: (next: ConnectionContext) => {
        const changed = next.phase !== context.phase;
        context = next;
        if (changed) this.phases.push(next.phase);
        if ((next === OPEN || next === CONNECTING) && this.connected.told.log.includes('closing')) {
          this.faults.push('a connection that was closing lives again');
        }
      },
    });
  }

  /** Every message goes through `submit`, whoever sends it. */
  #watchSends(): void {
    const { sender } = this.owner;
    const submit = sender.submit.bind(sender);
    const { maxBuffered, maxTotalBuffered } = this.#setting;
    const limited = Number.isFinite(maxBuffered) || Number.isFinite(maxTotalBuffered);
    sender.submit = (data, request, settle?: Settle, patient?: boolean) => {
      const text = String(data);
      const outcomes: SendOutcome[] = [];
      const inGrace = this.#grace && !GIVEN_UP.has(this.phase) && typeof data === 'string';
      // Where some may be given up, only their outcome tells which.
      const waited = limited || settle !== undefined || this.sent.length % 2 === 0;
      const { acknowledge = false, conflate } = request ?? {};
      const fate = { accepted: true, taken: true };
      // Those who are told of others that were dropped for it may send, and come behind it.
      const sent: Sent = { text, ...fate, conflate, inGrace, acknowledge, waited, outcomes };
      this.sent.push(sent);
      const tell: Settle = (outcome) => {
        this.#note(text, outcomes, outcome);
        if (outcome.status === 'refused') sent.accepted = false;
        settle?.(outcome);
      };
      sent.taken = submit(data, request, waited ? tell : undefined, patient);
      sent.accepted &&= sent.taken;
      return sent.taken;
    };
  }

  /** What shares an outcome with others goes another way. */
  #watchBatches(): void {
    const { outbox } = this.owner;
    const acceptInBatch = outbox.acceptInBatch.bind(outbox);
    outbox.acceptInBatch = (data) => {
      const inGrace = this.#grace && !GIVEN_UP.has(this.phase);
      const shared = acceptInBatch(data);
      if (!shared) return undefined;
      const outcomes: SendOutcome[] = [];
      void shared.then((outcome) => this.#note(String(data), outcomes, outcome));
      const fate = { accepted: true, taken: true, waited: true, outcomes };
      this.sent.push({
        text: String(data),
        ...fate,
        conflate: undefined,
        inGrace,
        acknowledge: false,
        promised: true,
      });
      return shared;
    };
  }

  #watchPort(): void {
    const { port, peer } = this.connected;
    const { sendShared, sharedSink } = port;
    if (sendShared && sharedSink) {
      port.sendShared = (message, written) => {
        const sent = sendShared(message, written);
        if (sent) this.handed.push(message.data.toString());
        return sent;
      };
      const addShared = sharedSink.addShared.bind(sharedSink);
      sharedSink.addShared = (frame) => {
        const handover = addShared(frame);
        this.handed.push(frame.toString());
        return handover;
      };
    }
    const send = port.send.bind(port);
    port.send = (data, options, written) => {
      const handover = send(data, options, written);
      this.handed.push(String(data));
      return handover;
    };
    const close = port.close.bind(port);
    port.close = (frame) => {
      if (this.requestsAtClose !== undefined) this.faults.push('G2 two close frames');
      this.requestsAtClose = this.context.requests.length;
      close(frame);
    };
    const peerClose = peer.close.bind(peer);
    peer.close = (code, reason) => {
      this.peerClosedAt ??= peer.messages.length;
      peerClose(code, reason);
    };
  }
}
