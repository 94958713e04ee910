/** Seconds to wait at first, at random from … to, by close code; any other code as 1001. */
const WAITS = { 1001: [0, 5], 1012: [5, 30], 1013: [30, 60], 4401: [0, 1] };
const LONGEST = 60;

/**
 * Keeps a WebSocket open. `url` may be a function, asked for each attempt; `onSocket` gets each new
 * socket. After 4401, `renew` gets a new credential and says whether it has one. `onEnd` is told the
 * close code after which there is no coming back. Returns a function that leaves.
 */
export function stayConnected(url, options = {}) {
  const { onSocket, onEnd, renew, final = [1000, 1008, 4409], random = Math.random } = options;
  let [socket, timer, failures, left] = [undefined, undefined, 0, false];

  async function closed(code, lived) {
    if (lived > LONGEST * 1000) failures = 0;
    if (final.includes(code) || (code === 4401 && !(await renew?.()))) left = true;
    if (left) return onEnd?.(code);
    const [from, to] = WAITS[code] ?? WAITS[1001];
    const most = Math.min(to * 2 ** failures++, LONGEST);
    timer = setTimeout(connect, (from + random() * (most - from)) * 1000);
  }
  function connect() {
    let openedAt = Infinity;
    socket = new WebSocket(typeof url === 'function' ? url() : url);
    socket.addEventListener('open', () => (openedAt = Date.now()));
    socket.addEventListener('close', ({ code }) => void closed(code, Date.now() - openedAt));
    onSocket?.(socket);
  }

  connect();
  return () => {
    left = true;
    clearTimeout(timer);
    socket.close(1000);
  };
}
