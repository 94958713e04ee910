import { WsException } from '@nestjs/websockets';

/** Throw it in `handleConnection` to close the connection with a code of your own. */
export class ConnectionRejectedException extends WsException {
  /**
   * @param code - 1000–1003, 1007–1014 or 3000–4999 (RFC 6455 §7.4); the app's own begin at 4000
   * @param reason - shown to the client; cut to 123 bytes of UTF-8
   */
  constructor(
    readonly code: number,
    readonly reason = '',
  ) {
    super(reason);
  }
}
