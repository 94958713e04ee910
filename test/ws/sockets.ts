import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterTest } from '../support/cleanup.js';

/** Two ends of a TCP connection, destroyed after the test; errors of theirs end them. */
export async function socketPair(): Promise<{ server: Socket; client: Socket }> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const client = connect((listener.address() as AddressInfo).port, '127.0.0.1');
  const [server] = (await once(listener, 'connection')) as [Socket];
  listener.close();
  for (const socket of [server, client]) {
    socket.on('error', () => socket.destroy());
    afterTest(() => void socket.destroy());
  }
  return { server, client };
}
