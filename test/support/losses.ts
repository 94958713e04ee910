/**
 * The ways in which a race is lost, beside a failed expectation. Any other error is a fault of
 * the test or its setting, and must not pass for a loss of the stock stack.
 */
export class RaceLostError extends Error {
  constructor(message: string) {
    super(message);
    this.name = new.target.name;
  }
}

/** What a test waited for did not happen within its bound. */
export class DeadlineError extends RaceLostError {}

/** The test asks what the owner of a connection tells, and there is no owner. */
export class UntoldError extends RaceLostError {}

/** The server's process has ended. */
export class ProcessEndedError extends RaceLostError {}
