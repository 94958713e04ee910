import type { Row } from '../../../src/core/connection.table.js';
import { altered, without, withTable, type Alteration, type Meant } from './alteration.types.js';

function alteration(
  name: string,
  meant: Meant,
  change: (row: Row) => Partial<Row>,
  breaks: string,
): Alteration {
  return { name, core: withTable(altered(meant, change)), breaks };
}

/** Mistakes in a row of the table. */
export const TABLE_ALTERATIONS: readonly Alteration[] = [
  alteration(
    'no ping goes before the close frame',
    { on: 'macrotaskEnded', from: 'draining.macrotask' },
    without('write-ping'),
    'G4 a crossed close was begun by both, or the peer answers no pings',
  ),
  alteration(
    'no ping goes before a close frame that had to wait',
    { on: 'flushed', from: 'draining.flush' },
    without('write-ping'),
    'G4 a crossed close was begun by both, or the peer answers no pings',
  ),
  alteration(
    'the ping goes behind the close frame',
    { on: 'flushed', from: 'draining.flush' },
    () => ({ effects: ['write-close', 'write-ping'] }),
    'G2 nothing follows a close frame',
  ),
  alteration(
    'the close frame is written before handlers are aborted',
    { on: 'macrotaskEnded', from: 'draining.macrotask' },
    () => ({ effects: ['write-ping', 'write-close', 'abort-handlers'] }),
    'G8 handlers are aborted before the close frame is written',
  ),
  alteration(
    'the close frame is written twice',
    { on: 'flushed', from: 'draining.flush' },
    () => ({ effects: ['write-ping', 'write-close', 'write-close'] }),
    'G2 at most one close frame is written',
  ),
  alteration(
    'a peer that was lost counts as closed by the server',
    { on: 'peerLost', from: 'open' },
    () => ({ notes: ['initiator:server'] }),
    'G3 a refusal says who began to close',
  ),
  alteration(
    'the close frame does not wait for messages',
    { on: 'macrotaskEnded', from: 'draining.macrotask', when: 'unwritten' },
    () => ({
      to: 'closing.handshake',
      notes: ['sent'],
      effects: ['abort-handlers', 'write-ping', 'write-close'],
    }),
    'G2 a close frame follows every message that was accepted and is not lost',
  ),
  alteration(
    'a close does not wait for its macrotask',
    { on: 'closeRequested', from: 'open' },
    () => ({ to: 'draining.flush' }),
    'G2 what is sent in the macrotask of a close is accepted',
  ),
  alteration(
    'nobody reports the end of the macrotask',
    { on: 'closeRequested', from: 'open' },
    without('await-macrotask'),
    'G5 every phase but open and closed has a timer or awaits the macrotask',
  ),
  alteration(
    'a stricter close does not wait for its macrotask',
    { on: 'closeRequested', from: 'draining.handlers' },
    () => ({ to: 'draining.flush' }),
    'G2 what is sent in the macrotask of a close is accepted',
  ),
  alteration(
    'the end of the last handler closes at once',
    { on: 'handlersSettled', from: 'draining.handlers' },
    () => ({
      to: 'closing.handshake',
      notes: ['sent'],
      effects: ['abort-handlers', 'write-ping', 'write-close'],
    }),
    'G2 a close frame follows every message that was accepted and is not lost',
  ),
  alteration(
    'a close that cuts handlers off does not abort them',
    { on: 'closeRequested', from: 'open' },
    without('abort-handlers'),
    'G8 handlers are aborted at once where somebody asked for it or the peer has gone',
  ),
  alteration(
    'a second, stricter close does not abort handlers',
    { on: 'closeRequested', from: 'draining.handlers' },
    without('abort-handlers'),
    'G8 handlers are aborted at once where somebody asked for it or the peer has gone',
  ),
  alteration(
    'a rejected connection goes on with its handlers',
    { on: 'rejected', from: 'open' },
    without('abort-handlers'),
    'G8 handlers are aborted at once where somebody asked for it or the peer has gone',
  ),
  alteration(
    'a broken frame does not abort handlers',
    { on: 'protocolFailed', from: 'open' },
    without('abort-handlers'),
    'G8 handlers are aborted at once where somebody asked for it or the peer has gone',
  ),
  alteration(
    'handlers go on for a peer that closed',
    { on: 'peerClosed', from: 'draining.handlers' },
    without('abort-handlers'),
    'G8 handlers are aborted at once where somebody asked for it or the peer has gone',
  ),
  alteration(
    'handlers go on for a peer that ended its stream',
    { on: 'peerEnded', from: 'open' },
    without('abort-handlers'),
    'G8 handlers are aborted at once where somebody asked for it or the peer has gone',
  ),
  alteration(
    'handlers go on past their time',
    { on: 'settleTimeout', from: 'draining.handlers', when: 'unwritten' },
    without('abort-handlers'),
    'G8 handlers are cut off once replies are refused',
  ),
  alteration(
    'handlers go on after the socket is gone',
    { on: 'socketClosed', from: 'draining.handlers' },
    without('abort-handlers'),
    'G8 handlers are aborted at once where somebody asked for it or the peer has gone',
  ),
  alteration(
    'messages that waited are forgotten when the connection is ready',
    { on: 'ready', from: 'connecting' },
    without('dispatch-waiting'),
    'G7 a message that waited is started once the connection is ready',
  ),
  alteration(
    'messages still wait for a connection that closes',
    { on: 'closeRequested', from: 'connecting' },
    without('discard-waiting'),
    'G8 nothing waits once closing has begun',
  ),
  alteration(
    'there is nothing to answer the peer with',
    { on: 'peerClosed', from: 'open' },
    without('received'),
    'no event makes the machine throw anything else',
  ),
  alteration(
    "the peer's close frame is not remembered",
    { on: 'peerClosed', from: 'draining.macrotask' },
    without('received'),
    "G5 no answer is awaited that can't be read",
  ),
  alteration(
    'nobody remembers that nothing is read any more',
    { on: 'protocolFailed', from: 'open' },
    without('deaf'),
    "G5 no answer is awaited that can't be read",
  ),
  alteration(
    'a request that comes second is not listed',
    { on: 'closeRequested', from: 'draining.flush' },
    without('request'),
    'G4 every request made before the end is listed, and nothing else',
  ),
  alteration(
    'a request that comes after the close frame changes it',
    { on: 'closeRequested', from: 'closing.handshake' },
    () => ({ notes: ['request', 'sent'] }),
    'G4 a close frame that was written does not change',
  ),
  alteration(
    'a close that was answered counts as crossed',
    { on: 'peerClosed', from: 'closing.handshake' },
    () => ({ notes: ['received', 'crossed'], effects: ['tell:crossed-close', 'end-socket'] }),
    'G4 a crossed close was begun by both, or the peer answers no pings',
  ),
  alteration(
    'a close that crossed ours counts as answered',
    { on: 'peerClosed', from: 'closing.handshake', when: 'crossing' },
    () => ({ notes: ['received'], effects: ['end-socket'] }),
    'G4 a clean close was answered, or all was read before the peer closed',
  ),
  alteration(
    'the socket is closed at once, whatever the peer has read',
    { on: 'peerClosed', from: 'closing.handshake', when: 'crossing' },
    () => ({ effects: ['tell:crossed-close', 'close-socket'] }),
    'G4 the socket is closed only once the peer has read all before our close frame, and closed',
  ),
  alteration(
    'a close frame that is inflated late counts as an answer',
    { on: 'peerClosed', from: 'closing.end', when: 'crossing' },
    () => ({ notes: ['received'], effects: [] }),
    'G4 a clean close was answered, or all was read before the peer closed',
  ),
  alteration(
    'a pong that is inflated late proves nothing',
    { on: 'closePong', from: 'closing.end' },
    without('acknowledged', 'acknowledge'),
    'G4 a crossed close was begun by both, or the peer answers no pings',
  ),
  alteration(
    "the peer's close frame counts as proof that it has read all",
    { on: 'peerClosed', from: 'closing.handshake', when: 'crossing' },
    ({ effects = [] }) => ({ effects: ['acknowledge', ...effects] }),
    'G3 what is acknowledged was read by the peer before it closed',
  ),
  alteration(
    'the socket is not ended once the peer was answered',
    { on: 'macrotaskEnded', from: 'draining.macrotask', when: 'answering' },
    without('end-socket'),
    'G5 where the end of the socket is awaited, it was asked for',
  ),
  alteration(
    'a peer that closed and ended its stream is not answered',
    { on: 'peerEnded', from: 'draining.macrotask', when: 'answering' },
    () => ({ notes: [], effects: ['abort-handlers', 'end-socket'] }),
    'G4 a peer that closed is answered before the socket ends',
  ),
  alteration(
    "the end of a socket that the peer has ended counts as this side's",
    { on: 'peerEnded', from: 'closing.handshake' },
    without('ended'),
    'G4 a close is terminated or lost if and only if the frames were not exchanged',
  ),
  alteration(
    'a reader that makes progress is given up all the same',
    { on: 'progress', from: 'draining.flush' },
    without('restart-timer'),
    'G5 the timer of a phase counts from the last progress of the reader, and from nothing else',
  ),
  alteration(
    'who closes again gives the reader more time',
    { on: 'closeRequested', from: 'draining.flush' },
    ({ effects = [] }) => ({ effects: [...effects, 'restart-timer'] }),
    'G5 the timer of a phase counts from the last progress of the reader, and from nothing else',
  ),
  alteration(
    'nobody is told how it ended',
    { on: 'socketClosed', from: 'closing.end' },
    without('settle'),
    'G14 a connection is settled when it is closed, and once',
  ),
  alteration(
    'the end is told twice',
    { on: 'socketClosed', from: 'closed' },
    () => ({ effects: ['settle'] }),
    'G14 nothing happens to a closed connection',
  ),
  alteration(
    'a flush that took too long is not the cause of what it lost',
    { on: 'flushTimeout', from: 'draining.flush' },
    () => ({ notes: ['terminated'] }),
    'G3 the cause of a loss is the true one',
  ),
];
