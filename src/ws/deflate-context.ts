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
  if (!deflate || deflate.closed) {
    deflate = new SyncDeflate({ ...options, windowBits });
    byWindow.set(windowBits, deflate);
  }
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
  #own: SyncDeflate | undefined;
  /** ws has to do it. */
  #unable = false;
  #watched = false;
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

  /**
   * `undefined` where the window of ws can't be emptied: by a reset it is filled with the dictionary
   * of the app, where there is one, which is no longer in that of the peer.
   */
  static of(socket: WebSocket): DeflateContext | undefined {
    const deflate = deflateOf(socket);
    if (!deflate || deflate._options?.zlibDeflateOptions?.dictionary) return undefined;
    return new DeflateContext(socket, deflate);
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
    if (this.#unable) return undefined;
    const own = (this.#own ??= this.#newDeflate());
    if (own && (this.#last !== 'own' || !this.#keepsContext)) own.reset();
    this.#last = 'own';
    const end = own?.write(data, target, offset);
    this.#unable = end === undefined;
    return end;
  }

  #newDeflate(): SyncDeflate | undefined {
    const { _options: options, _threshold: threshold } = this.deflate;
    if (!options || threshold === undefined || !SyncDeflate.supported) return undefined;
    const zlibOptions = options.zlibDeflateOptions ?? DEFAULTS;
    if (!this.#keepsContext) return sharedDeflate(zlibOptions, this.#windowBits);
    this.#watchEnd();
    return new SyncDeflate({ ...zlibOptions, windowBits: this.#windowBits });
  }

  #watchEnd(): void {
    if (this.#watched) return;
    this.#watched = true;
    streamOf(this.socket)?.once('close', () => this.#own?.close());
  }

  /** ws is about to send a message. */
  enterWs(compressed: boolean): void {
    this.#inWs++;
    if (!compressed) return;
    if (this.#last !== 'ws') this.deflate._deflate?.reset();
    this.#last = 'ws';
    if (!this.#keepsContext) return;
    // Its context is of no use any more, and takes as much memory as that of ws.
    this.#own?.close();
    this.#own = undefined;
  }

  leaveWs(): void {
    this.#inWs--;
  }
}
