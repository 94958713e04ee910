/* oxlint-disable no-underscore-dangle -- the names are those of ws. */
import type { ZlibOptions } from 'node:zlib';
import type { WebSocket } from 'ws';
import { SyncDeflate, WINDOW_BITS } from './sync-deflate.js';
import { deflateOf, streamOf, type MessageDeflate } from './ws.internals.js';

/** By the options of a server and the size of the window: those of sockets that keep no context. */
const withoutContext = new WeakMap<ZlibOptions, Map<number, SyncDeflate>>();
const DEFAULTS: ZlibOptions = {};

function sharedDeflate(options: ZlibOptions, windowBits: number): SyncDeflate {
  let byWindow = withoutContext.get(options);
  if (!byWindow) withoutContext.set(options, (byWindow = new Map()));
  let deflate = byWindow.get(windowBits);
  if (!deflate) byWindow.set(windowBits, (deflate = new SyncDeflate({ ...options, windowBits })));
  return deflate;
}

/**
 * What the frames of one socket are compressed with: by us where they are small, by ws, or once for
 * many sockets. The peer has one window for all of them (RFC 7692 §7.1.1), and who compresses one
 * knows only its own: where another came between, it begins with none, as it would else refer to
 * what is no longer there. ws must be asked for nothing while it still compresses, as its frame
 * would come later than one that is ready.
 */
export class DeflateContext {
  /** Messages that ws has and the kernel does not. */
  #inWs = 0;
  /** Who compressed the last frame. */
  #last: 'ws' | 'own' | 'shared' | undefined;
  /** `null`: ws has to do it. */
  #own: SyncDeflate | null | undefined;
  readonly #windowBits: number;
  readonly #keepsContext: boolean;

  private constructor(
    private readonly socket: WebSocket,
    private readonly deflate: MessageDeflate,
  ) {
    const { params } = deflate;
    this.#windowBits = (params['server_max_window_bits'] as number | undefined) ?? WINDOW_BITS;
    this.#keepsContext = params['server_no_context_takeover'] !== true;
  }

  /** `undefined` where the window of ws can't be emptied. */
  static of(socket: WebSocket): DeflateContext | undefined {
    const deflate = deflateOf(socket);
    return deflate && new DeflateContext(socket, deflate);
  }

  /** A frame may be sent that ws knows nothing of. */
  get idle(): boolean {
    return this.#inWs === 0;
  }

  /** What is compressed for many fits into the peer's window. */
  get readsShared(): boolean {
    return this.#windowBits === WINDOW_BITS;
  }

  /** As ws does, which compresses what is small only with a context. */
  isCompressed(bytes: number): boolean {
    return bytes > 0 && (this.#keepsContext || bytes >= (this.deflate._threshold ?? 0));
  }

  /** The frame for many was sent, compressed. */
  sentShared(): void {
    this.#last = 'shared';
  }

  /**
   * Writes the payload of a frame, which has to be sent next.
   *
   * @returns its end; `undefined`: ws has to send the message
   */
  write(data: Uint8Array, target: Buffer, offset: number): number | undefined {
    const own = (this.#own ??= this.#newDeflate());
    if (!own) return undefined;
    if (this.#last !== 'own' || !this.#keepsContext) own.reset();
    this.#last = 'own';
    const end = own.write(data, target, offset);
    if (end === undefined) this.#own = null;
    return end;
  }

  #newDeflate(): SyncDeflate | null {
    const { _options: options, _threshold: threshold } = this.deflate;
    if (!options || threshold === undefined || !SyncDeflate.supported) return null;
    const zlibOptions = options.zlibDeflateOptions ?? DEFAULTS;
    if (!this.#keepsContext) return sharedDeflate(zlibOptions, this.#windowBits);
    const own = new SyncDeflate({ ...zlibOptions, windowBits: this.#windowBits });
    streamOf(this.socket)?.once('close', () => own.close());
    return own;
  }

  /** ws is about to send a message. */
  enterWs(): void {
    this.#inWs++;
    if (this.#last !== 'ws') this.deflate._deflate?.reset();
    this.#last = 'ws';
  }

  leaveWs(): void {
    this.#inWs--;
  }
}
