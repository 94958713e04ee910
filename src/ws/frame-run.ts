const NOTHING = Buffer.alloc(0);

/**
 * Frames that are sent one after the other, to many sockets: who has sent the same ones holds the
 * same run, and what is written for it is put together once. Nothing of it ever changes, so that
 * it may be with any number of sockets until their peers have read it.
 */
export class FrameRun {
  readonly length: number;
  #next: FrameRun | undefined;
  #joined: Buffer | undefined;

  private constructor(
    private readonly before: FrameRun | undefined,
    private readonly frame: Buffer,
  ) {
    this.length = (before?.length ?? 0) + frame.length;
    if (!before?.length) this.#joined = frame;
  }

  static empty(): FrameRun {
    return new FrameRun(undefined, NOTHING);
  }

  /** This run and one frame more. */
  with(frame: Buffer): FrameRun {
    const next = this.#next;
    if (next?.frame === frame) return next;
    return (this.#next = new FrameRun(this, frame));
  }

  joined(): Buffer {
    return (this.#joined ??= this.#copyTo(Buffer.allocUnsafeSlow(this.length)));
  }

  #copyTo(target: Buffer): Buffer {
    target.set(this.frame, this.length - this.frame.length);
    for (let run = this.before; run; run = run.before) {
      target.set(run.frame, run.length - run.frame.length);
    }
    return target;
  }
}
