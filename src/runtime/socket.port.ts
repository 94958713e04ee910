import type { CloseFrame } from '../core/close-request.js';

/** What ws's `send()` takes. */
export type MessageData = string | number | Buffer | ArrayBufferLike | ArrayBufferView | Blob;

/**
 * One message for many, which is never changed; what a port makes of it for all, it keeps here. A
 * class, as options of the app may have anything of any name.
 */
export class SharedMessage {
  frame: Buffer | undefined;
  compressedFrame: Buffer | undefined;

  constructor(
    readonly data: Buffer,
    readonly binary: boolean,
  ) {}
}

/** Of a message handed over: the kernel has `taken` it, or that is told later. */
export type Handover = 'taken' | 'pending';

/**
 * Takes whole frames of messages for many. Those that are `pending` are reported in one where they
 * came under the same `tick`.
 */
export interface SharedSink {
  readonly tick: number;
  /** What is added now would be written at once, and none is pending. */
  readonly lone: boolean;
  addShared(frame: Buffer): Handover;
}

/** ws's options of `send()`, handed on untouched, and what we know of a message beside them. */
export interface MessageOptions {
  readonly binary?: boolean | undefined;
  readonly compress?: boolean | undefined;
  readonly fin?: boolean | undefined;
  readonly mask?: boolean | undefined;
  readonly shared?: SharedMessage | undefined;
}

/** A message as ws emits it. */
export type ReceivedData = Buffer | ArrayBuffer | Buffer[] | Blob;

/**
 * What the owner needs of a socket. A port holds no policy: it does what it is told at once, in
 * the order in which it is told, and reports what happened to its `SocketListener`.
 */
export interface SocketPort {
  /** The opening handshake of a client socket has not ended. */
  readonly connecting: boolean;
  /** Messages can be handed over. */
  readonly writable: boolean;
  /** Bytes handed over that the kernel has not taken. */
  readonly bufferedAmount: number;
  /** Messages handed over under one number are reported as written in one; absent: each alone. */
  readonly batch?: number | undefined;
  /** The kernel's own buffer is full, so that bytes wait for the reader. */
  readonly blocked: boolean;
  /**
   * Hands over one message. `written` is called once the kernel has taken it, or with an error;
   * in the order of the messages as long as there is none, and for several at once where it says
   * how many; never before this returns, and not for a message that was `taken`, as none is while an
   * earlier one is pending. Throws where `data` is nothing that can be sent, and has then sent nothing.
   */
  send(
    data: MessageData,
    options: MessageOptions | undefined,
    written: (error?: Error | null, messages?: number) => void,
  ): Handover;
  /** As `send`, of one for many; `undefined`: it takes another way, and nothing was sent. */
  readonly sendShared?:
    | ((
        message: SharedMessage,
        written: (error?: Error | null, messages?: number) => void,
      ) => Handover | undefined)
    | undefined;
  /** Where more may go as the last of `sendShared` went; absent: each has to ask. */
  readonly sharedSink?: SharedSink | undefined;
  /** @param closes - `close` follows at once, and one system call may take both */
  ping(payload: Buffer, closes?: boolean): void;
  /** Writes what wants no answer, so that a peer which has gone answers it with a reset. */
  probe(): void;
  /** Writes our close frame; 1005 stands for one without a code. */
  close(frame: CloseFrame): void;
  /** Whether the kernel has taken it; absent where that can't be known. */
  readonly closeWritten?: boolean;
  /**
   * Ends the socket once everything is written.
   *
   * @param over - the peer has read it all, and closed: nothing is lost by not waiting for its end
   */
  end(over?: boolean): void;
  /** Destroys the socket; `closed` follows. */
  destroy(): void;
  /** Nothing is read, so that TCP pushes back. */
  readonly paused: boolean;
  pause(): void;
  resume(): void;
  /** Any number that changes whenever the kernel takes bytes, even within one message. */
  progressMark(): number;
}

/** What a port reports. Each may come late or twice; none may throw. */
export interface SocketListener {
  /** A message was read. */
  onMessage(data: ReceivedData, isBinary: boolean): void;
  /** The peer's own ping, which is answered elsewhere. */
  onPing(): void;
  onPong(payload: Buffer): void;
  /** The peer's close frame was read; nothing is read after it. */
  onPeerClose(frame: CloseFrame): void;
  /** The peer broke the protocol; nothing is read any more. `code` is what to close with. */
  onProtocolFailure(code: number, error: unknown): void;
  /** The peer ended its side of the stream. */
  onPeerEnd(): void;
  /** The socket is gone. */
  onClosed(): void;
}
