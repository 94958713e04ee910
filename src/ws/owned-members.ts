import { WebSocket } from 'ws';
import { NO_STATUS_RECEIVED } from '../core/close-code.js';
import type { SendOutcome } from '../core/outcomes.js';
import type { Settle } from '../runtime/send-request.js';
import { receivedBytes } from '../runtime/received-bytes.js';
import type { MessageData, MessageOptions, ReceivedData } from '../runtime/socket.port.js';
import type { BaseMembers } from './base-members.js';
import { ownershipOf, type Ownership } from './ownership.js';
import { methodDescriptors } from './websocket-subclass.js';
import { isBlob, pingsFlooded } from './ws.internals.js';

type SendCallback = (error?: Error | null) => void;

const EMPTY = Buffer.alloc(0);
const STATE_NAMES = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'];

/** The error that ws passes to a callback in this case. */
function notOpen(readyState: number): Error {
  return new Error(
    `WebSocket is not open: readyState ${readyState} (${STATE_NAMES[readyState] ?? 'unknown'})`,
  );
}

function notSent(readyState: number, outcome: SendOutcome): Error {
  if (readyState !== WebSocket.OPEN || !('cause' in outcome)) return notOpen(readyState);
  return new Error(`The message was ${outcome.status}: ${outcome.cause}`);
}

/** A callback of the app that harms nobody by what it throws. */
function guarded({ owner }: Ownership, method: string, callback: SendCallback): SendCallback {
  return (error) => {
    try {
      callback(error);
    } catch (thrown) {
      const message = `A callback of ${method}() threw.`;
      owner.tell('listener-error', { message, error: thrown });
    }
  };
}

function settleOf(socket: WebSocket, ownership: Ownership, callback: SendCallback): Settle {
  const call = guarded(ownership, 'send', callback);
  return (outcome: SendOutcome) => {
    const sent = outcome.status === 'written' || outcome.status === 'acknowledged';
    const error = sent ? undefined : notSent(socket.readyState, outcome);
    if (error) Object.assign(error, { outcome });
    // As in ws, a callback never runs before send() has returned.
    if (outcome.status === 'refused') process.nextTick(call, error);
    else call(error);
  };
}

/** ws's receiver calls `close()` itself: to answer the peer's, or a frame that is no good. */
function reportVerdict({ owner, port }: Ownership, code: unknown, reason: unknown): boolean {
  const verdict = port.takeVerdict();
  if (verdict === 'protocol-failed') owner.onProtocolFailure(code as number, port.receiverError);
  else if (verdict === 'peer-closed') {
    owner.onPeerClose({
      code: (code as number | undefined) ?? NO_STATUS_RECEIVED,
      reason: reason === undefined ? '' : (reason as Buffer).toString(),
    });
  }
  return verdict !== undefined;
}

/**
 * The members that stand before ws's own, on the prototype of server sockets or on one client
 * socket: every way to send or to close leads to the owner (G1), and users see `CLOSING` from
 * the moment of `close()`, though ws itself must see `OPEN` until the close frame is written.
 * A socket without an owner behaves as ws made it.
 */
export function ownedMembers(base: BaseMembers): PropertyDescriptorMap {
  const control = (method: 'ping' | 'pong') =>
    function (this: WebSocket, data?: unknown, mask?: unknown, callback?: unknown): void {
      const ownership = ownershipOf(this);
      if (!ownership) {
        base[method].call(this, data, mask as boolean, callback as SendCallback);
        return;
      }
      const given = [data, mask, callback].find((argument) => typeof argument === 'function');
      const done = given && guarded(ownership, method, given as SendCallback);
      if (!ownership.port.writable) {
        if (done) process.nextTick(done, notOpen(this.readyState));
        return;
      }
      if (method === 'pong') ownership.port.answered(data);
      const payload = typeof data === 'function' ? undefined : data;
      if (isBlob(payload)) ownership.port.stopBatching();
      const before = ownership.port.inside;
      ownership.port.inside = true;
      try {
        const masked = typeof data === 'function' || typeof mask === 'function' ? undefined : mask;
        base[method].call(this, payload, masked as boolean, done);
      } catch (error) {
        ownership.owner.tell('unserializable', {
          message: `${method}() takes at most 125 bytes (RFC 6455 §5.5).`,
          error,
        });
        if (done) process.nextTick(done, error);
      } finally {
        ownership.port.inside = before;
      }
    };

  const members = {
    send(this: WebSocket, data: unknown, options?: unknown, callback?: SendCallback): void {
      const ownership = ownershipOf(this);
      if (!ownership) {
        base.send.call(this, data as MessageData, options as MessageOptions, callback);
        return;
      }
      const done = typeof options === 'function' ? (options as SendCallback) : callback;
      const settle = typeof done === 'function' ? settleOf(this, ownership, done) : undefined;
      ownership.owner.submit(
        (data ?? EMPTY) as MessageData,
        typeof options === 'object' && options !== null ? options : undefined,
        settle,
      );
    },

    ping: control('ping'),
    pong: control('pong'),

    close(this: WebSocket, code?: number, reason?: string | Buffer): void {
      const ownership = ownershipOf(this);
      if (!ownership || ownership.port.inside) base.close.call(this, code, reason);
      else if (!reportVerdict(ownership, code, reason)) ownership.owner.requestClose(code, reason);
    },

    terminate(this: WebSocket): void {
      const ownership = ownershipOf(this);
      if (!ownership || ownership.port.inside) {
        base.terminate.call(this);
        return;
      }
      if (pingsFlooded(this)) {
        const message = 'The peer sent more pings at once than maxPendingAutoPongs of ws allows.';
        ownership.owner.tell('protocol-error', { message });
      }
      ownership.owner.requestTerminate();
    },

    emit(this: WebSocket, event: string | symbol, ...args: unknown[]): boolean {
      const ownership = ownershipOf(this);
      if (!ownership) return base.emit.call(this, event, ...args);
      if (event === 'message') {
        const { owner } = ownership;
        if (!owner.dispatched) owner.lastMessageBytes = receivedBytes(args[0] as ReceivedData);
        // The app's raw listeners first: one may close, or be the reason why none is to start.
        const heard = base.emit.call(this, event, ...args);
        owner.onMessage(args[0] as ReceivedData, args[1] === true);
        return heard;
      }
      if (event === 'error' && this.listenerCount('error') === 0) return true;
      report(ownership, event, args);
      const heard = base.emit.call(this, event, ...args);
      if (event === 'close') {
        callRemoved(this, ownership, args);
        ownership.owner.reportEnd();
      }
      return heard;
    },
  };

  return {
    ...methodDescriptors(members),
    readyState: {
      get(this: WebSocket): number {
        const state = base.readyState.call(this);
        const ownership = ownershipOf(this);
        if (!ownership || ownership.port.inside || ownership.owner.live) return state;
        return Math.max(state, WebSocket.CLOSING);
      },
      configurable: true,
      enumerable: true,
    },
    bufferedAmount: {
      get(this: WebSocket): number {
        return ownershipOf(this)?.owner.bufferedAmount ?? base.bufferedAmount.call(this);
      },
      configurable: true,
      enumerable: true,
    },
  };
}

/** ws's server would wait for ever for a socket of whose end it never learns. */
function callRemoved(socket: WebSocket, { serverListeners }: Ownership, args: unknown[]): void {
  for (const listener of serverListeners ?? []) {
    if (socket.listenerCount('close', listener) === 0) Reflect.apply(listener, socket, args);
  }
}

/** What the owner learns before the app's listeners do. */
function report(ownership: Ownership, event: string | symbol, args: unknown[]): void {
  const { owner, port } = ownership;
  const detail = args[0];
  switch (event) {
    case 'pong':
      owner.onPong(detail as Buffer);
      break;
    case 'ping':
      owner.onPing();
      // ws answers pings only while it sees OPEN, which a draining owner hides from it.
      if (!owner.live) port.pong(detail as Buffer);
      break;
    case 'close':
      // ws tells nobody of a close frame that it read, behind what it decompressed, only once
      // the socket had ended.
      if (port.closeFrameReceived) reportVerdict(ownership, detail, args[1]);
      owner.onClosed();
      break;
    case 'exception':
      // Nest 11's filters emit the frame on the socket rather than send it.
      owner.post('exception', detail);
      break;
  }
}
