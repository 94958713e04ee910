/* oxlint-disable no-underscore-dangle, typescript/unbound-method -- the names are those of Node, and each is called with what it is of. */
import { Socket } from 'node:net';
import { Writable, type Duplex } from 'node:stream';

/** What libuv goes on with where the kernel does not take all of a write at once. */
interface WriteRequest {
  oncomplete: ((...args: unknown[]) => void) | null;
  /** That of the write it was used for; negative as long as it was used for none. */
  getAsyncId(): number;
}

/** Returns 0, or the number of an error. */
type WriteBuffer = (this: StreamHandle, request: WriteRequest, bytes: Uint8Array) => number;

interface StreamHandle {
  writeBuffer: WriteBuffer;
}

type SocketWithHandle = Socket & { readonly _handle?: StreamHandle | null };

/** How Node itself writes to a socket, as seen once. */
interface NodeWrite {
  readonly writeBuffer: WriteBuffer;
  readonly Request: new () => WriteRequest;
}

/** Called once the kernel has taken what was written, or will not. */
export type WriteCallback = (error?: Error | null) => void;

const write = Writable.prototype.write as (
  this: Writable,
  bytes: Buffer,
  callback?: WriteCallback,
) => boolean;
const { _write: writeOfSocket } = Socket.prototype;

/**
 * Writes to sockets without what a stream does for each write, where nothing needs it: Node makes a
 * request for libuv each time, though the kernel mostly takes all at once and nobody sees that.
 * What it does not take, or fails to, is a write of the stream like any other.
 *
 * How Node writes is learnt from the first write, which it makes itself; where that is not as it is
 * known to be, it makes all others, too.
 */
export class DirectWriter {
  /** `null`: in a way that is not known here. */
  #node: NodeWrite | null | undefined;
  /** For the next write; what the kernel has taken at once left no trace on it. */
  #request!: WriteRequest;

  /** Whether it may write to this stream: nobody has put a `write()` of their own before Node's. */
  static serves(stream: Duplex): stream is Socket {
    return stream instanceof Socket && stream.write === write;
  }

  /**
   * Writes to an open stream that it serves.
   *
   * @returns whether the kernel has taken all of it, which `callback` is not told; false: the stream
   *   knows what becomes of it
   */
  write(stream: Socket, bytes: Buffer, callback?: WriteCallback): boolean {
    const handle = (stream as SocketWithHandle)._handle;
    const node = this.#node;
    if (!handle || node === null || !isUnnoticed(stream)) {
      write.call(stream, bytes, callback);
    } else if (node === undefined && !Object.hasOwn(handle, 'writeBuffer')) {
      this.#node = this.#learn(stream, handle, bytes, callback);
    } else if (handle.writeBuffer === node?.writeBuffer) {
      // As a method: V8 makes a short call of one it knows, and a long one by `call()`.
      const error = handle.writeBuffer(this.#request, bytes);
      if (error === 0 && this.#request.getAsyncId() < 0) return true;
      this.#adopt(stream, handle, bytes, error, callback);
    } else {
      write.call(stream, bytes, callback);
    }
    return false;
  }

  #learn(
    stream: Socket,
    handle: StreamHandle,
    bytes: Buffer,
    callback?: WriteCallback,
  ): NodeWrite | null {
    const { writeBuffer } = handle;
    let used: Partial<WriteRequest> | undefined;
    writeInstead(stream, handle, bytes, callback, (...args) => {
      const [theirs, data] = args;
      if (args.length === 2 && data === bytes) used = theirs;
      return writeBuffer.apply(handle, args);
    });
    if (typeof used?.getAsyncId !== 'function' || used.oncomplete === undefined) return null;
    const Request = used.constructor as NodeWrite['Request'];
    this.#request = new Request();
    const waits = stream.writableLength > 0;
    const known = this.#request.getAsyncId() < 0 && used.getAsyncId() >= 0 === waits;
    return known ? { writeBuffer, Request } : null;
  }

  /** A write that is not over becomes one that the stream knows of, or one that has failed. */
  #adopt(
    stream: Socket,
    handle: StreamHandle,
    bytes: Buffer,
    error: number,
    callback?: WriteCallback,
  ): void {
    const ours = this.#request;
    this.#request = new this.#node!.Request();
    writeInstead(stream, handle, bytes, callback, (theirs) => {
      ours.oncomplete = (...args) => theirs.oncomplete?.(...args);
      return error;
    });
  }
}

/** For all sockets, as how Node writes is learnt once. */
export const directWriter = new DirectWriter();

/** Nothing waits that has to go first, nobody looks at each write, and no timeout starts anew by it. */
function isUnnoticed(stream: Socket): boolean {
  return (
    stream.writableLength === 0 &&
    stream.writableCorked === 0 &&
    !stream.timeout &&
    stream._write === writeOfSocket
  );
}

/** Has the stream write by another way than its handle's own. */
function writeInstead(
  stream: Socket,
  handle: StreamHandle,
  bytes: Buffer,
  callback: WriteCallback | undefined,
  writeBuffer: (...args: Parameters<WriteBuffer>) => number,
): void {
  handle.writeBuffer = writeBuffer;
  try {
    write.call(stream, bytes, callback);
  } finally {
    Reflect.deleteProperty(handle, 'writeBuffer');
  }
}
