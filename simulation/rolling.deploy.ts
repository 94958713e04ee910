import type { BackOff } from './back-off.strategies.js';
import { latencies, seededRandom, type Latency, type Random } from './random.js';
import { RateMeter } from './rate.meter.js';
import { TICK, TimeWheel } from './time.wheel.js';
import { VirtualNode, type DrainPlan, type NodeHost } from './virtual.node.js';

/** A cluster whose nodes are replaced one after the other; times in ms. */
export interface DeployOptions {
  readonly connections: number;
  readonly nodes: number;
  /** Connections that a node can make in a second. */
  readonly capacity: number;
  readonly plan: DrainPlan;
  readonly backOff: BackOff;
  readonly seed: number;
  /** Of the close frames. */
  readonly code?: number;
  /** From the close frame to its answer. */
  readonly closeLatency?: Latency;
  /** The part of the clients that answer no close frame, and until when they are waited for. */
  readonly silent?: number;
  readonly handshakeTimeout?: number;
  /** From the beginning of an attempt to its arrival at a node. */
  readonly connectLatency?: Latency;
  /** How long a client waits for its connection before it gives up. */
  readonly connectTimeout?: number;
  /** From when a node reports that it is not ready until no new client is sent to it. */
  readonly balancerDelay?: number;
  /** From the end of a node until the one that replaces it takes clients. */
  readonly startUp?: number;
}

export interface DeployResult {
  /** The most attempts to connect in one second at one node that does not drain. */
  readonly peak: number;
  /** From the loss of a connection to the next one, in ms. */
  readonly p50Delay: number;
  readonly p99Delay: number;
  /** Until all nodes are replaced and all clients are back, in ms; infinite if they never are. */
  readonly finishedAt: number;
  readonly lost: number;
  readonly returned: number;
  /** Attempts refused by a node that drains, or has ended. */
  readonly refused: number;
  /** Attempts given up, as the node took too long. */
  readonly gaveUp: number;
  /** Connections cut at the deadline of a drain. */
  readonly terminated: number;
  /** The most connections that a node had when it began to drain. */
  readonly fullest: number;
}

/** What is assumed; docs/guides/rolling-deploys.md says so, too. */
const DEFAULTS = {
  code: 1012,
  closeLatency: { median: 60, spread: 0.7 },
  silent: 0.01,
  handshakeTimeout: 5_000,
  connectLatency: { median: 200, spread: 0.7 },
  connectTimeout: 10_000,
  balancerDelay: 3_000,
  startUp: 5_000,
} satisfies Partial<DeployOptions>;

/** Where a client on the move is: in its close handshake, waiting to come back, at a node's door. */
const Where = { nowhere: 0, closing: 1, away: 2, queued: 3 } as const;

/** No latency lasts longer; the tail of a log-normal knows no end. */
const LONGEST_LATENCY = 10_000;
/** A deploy is given up as endless once attempts fail so often for each client. */
const MOST_FAILURES = 20;
/** Delays are counted in ticks, up to about eleven minutes. */
const DELAYS = 2 ** 16;

// See random.ts.
const { floor, max, min } = Math;

/** The deploy itself. A client at a node is counted there; one on the move has a record. */
export class RollingDeploy implements NodeHost {
  readonly random: Random;
  readonly #options: DeployOptions & typeof DEFAULTS;
  readonly #closeLatency: Random;
  readonly #connectLatency: Random;
  readonly #wheel: TimeWheel;
  readonly #nodes: VirtualNode[];
  readonly #meters: RateMeter[];
  readonly #unroutableAt: Float64Array;
  #routes: number[] = [];
  /** When they change next. */
  #routesUntil = 0;

  /** The records that are free, as a stack: those in use stay few, and in the processor's cache. */
  readonly #free: Int32Array;
  #freeCount: number;
  readonly #where: Uint8Array;
  /** The place of the node that a client is at, or was. */
  readonly #node: Uint16Array;
  readonly #failures: Uint8Array;
  readonly #lostAt: Int32Array;
  readonly #delays = new Float64Array(DELAYS);
  /** Nodes with connections that were made, or have ended, in this tick. */
  readonly #opened = new Set<VirtualNode>();
  readonly #ended = new Set<VirtualNode>();

  #ticks = 0;
  #draining: VirtualNode;
  #replaceAt = Number.POSITIVE_INFINITY;
  #replaced = 0;
  #fullest = 0;
  #lost = 0;
  #returned = 0;
  #refused = 0;
  #gaveUp = 0;
  #terminated = 0;

  constructor(options: DeployOptions) {
    const all = (this.#options = { ...DEFAULTS, ...options });
    const { connections, nodes, seed, plan } = all;
    this.random = seededRandom(seed);
    this.#closeLatency = latencies(all.closeLatency, this.random);
    this.#connectLatency = latencies(all.connectLatency, this.random);
    this.#wheel = new TimeWheel(connections);
    this.#nodes = Array.from({ length: nodes }, (_, place) => new VirtualNode(place, plan, this));
    this.#meters = Array.from({ length: nodes }, () => new RateMeter());
    this.#unroutableAt = new Float64Array(nodes).fill(Number.POSITIVE_INFINITY);
    this.#free = Int32Array.from({ length: connections }, (_, index) => connections - 1 - index);
    this.#freeCount = connections;
    this.#where = new Uint8Array(connections);
    this.#node = new Uint16Array(connections);
    this.#failures = new Uint8Array(connections);
    this.#lostAt = new Int32Array(connections);
    for (const node of this.#nodes) {
      node.clients = Math.floor((connections + nodes - 1 - node.place) / nodes);
    }
    this.#draining = this.#drain(0);
  }

  now(): number {
    return this.#ticks * TICK;
  }

  /** All nodes are replaced, and all clients are back. */
  get done(): boolean {
    return this.#replaced === this.#nodes.length && this.#wheel.pending === 0;
  }

  /** How many clients are where: their sum never changes. */
  census(): { home: number; closing: number; away: number; queued: number } {
    const counts = [0, 0, 0, 0];
    for (const where of this.#where) counts[where]!++;
    const [, closing = 0, away = 0, queued = 0] = counts;
    const home = this.#nodes.reduce((sum, { clients }) => sum + clients, 0);
    return { home, closing, away, queued };
  }

  /** How many are in their close handshake, as the nodes know it. */
  get closing(): number {
    return this.#nodes.reduce((sum, { closing }) => sum + closing, 0);
  }

  run(): DeployResult {
    const mostFailures = MOST_FAILURES * this.#options.connections;
    while (!this.done && this.#refused + this.#gaveUp < mostFailures) this.step();
    return this.result();
  }

  /** One tick of virtual time. */
  step(): void {
    this.#ticks++;
    if (this.now() >= this.#routesUntil) this.#findRoutes();
    this.#wheel.advance((client) => this.#due(client));
    for (const node of this.#opened) node.opened();
    this.#opened.clear();
    for (const node of this.#ended) node.ended();
    this.#ended.clear();
    if (this.now() >= this.#replaceAt) this.#replace();
    this.#draining.tick();
  }

  result(): DeployResult {
    return {
      peak: Math.max(...this.#meters.map(({ peak }) => peak)),
      p50Delay: this.#delayOf(0.5),
      p99Delay: this.#delayOf(0.99),
      finishedAt: this.done ? this.now() : Number.POSITIVE_INFINITY,
      lost: this.#lost,
      returned: this.#returned,
      refused: this.#refused,
      gaveUp: this.#gaveUp,
      terminated: this.#terminated,
      fullest: this.#fullest,
    };
  }

  reportUnready({ place }: VirtualNode): void {
    this.#unroutableAt[place] = this.now() + this.#options.balancerDelay;
    this.#routesUntil = 0;
  }

  ask(node: VirtualNode, count: number): void {
    const { silent, handshakeTimeout } = this.#options;
    for (let asked = 0; asked < count; asked++) {
      const client = this.#record(node);
      const answer = this.random() < silent ? handshakeTimeout : this.#closeLatency();
      this.#where[client] = Where.closing;
      this.#wheel.schedule(client, min(answer, handshakeTimeout));
    }
    node.closing += count;
  }

  terminate(node: VirtualNode, count: number): void {
    const closing = this.#withdraw(node, Where.closing);
    node.closing = 0;
    this.#terminated += closing.length + count;
    for (const client of closing) this.#lose(client, 1006);
    for (let cut = 0; cut < count; cut++) this.#lose(this.#record(node), 1006);
    this.#ended.add(node);
  }

  /** Its process ends, and with it what waits in its queue. */
  exit(node: VirtualNode): void {
    for (const client of this.#withdraw(node, Where.queued)) this.#fail(client, 0);
    this.#replaceAt = this.now() + this.#options.startUp;
  }

  #record({ place }: VirtualNode): number {
    const client = this.#free[--this.#freeCount]!;
    this.#node[client] = place;
    return client;
  }

  #withdraw({ place }: VirtualNode, where: number): number[] {
    return this.#wheel.withdraw(
      (client) => this.#where[client] === where && this.#node[client] === place,
    );
  }

  #drain(place: number): VirtualNode {
    const node = this.#nodes[place]!;
    this.#fullest = Math.max(this.#fullest, node.clients);
    node.begin();
    return node;
  }

  /** A new node stands where one has ended, and the next begins to drain. */
  #replace(): void {
    const { place } = this.#draining;
    this.#nodes[place] = new VirtualNode(place, this.#options.plan, this);
    this.#unroutableAt[place] = Number.POSITIVE_INFINITY;
    this.#routesUntil = 0;
    this.#replaceAt = Number.POSITIVE_INFINITY;
    this.#replaced++;
    if (this.#replaced < this.#nodes.length) this.#draining = this.#drain(place + 1);
  }

  /** Where the load balancer sends new clients. */
  #findRoutes(): void {
    const now = this.now();
    this.#routes = [];
    this.#routesUntil = Number.POSITIVE_INFINITY;
    for (const [place, until] of this.#unroutableAt.entries()) {
      if (now >= until) continue;
      this.#routes.push(place);
      this.#routesUntil = Math.min(this.#routesUntil, until);
    }
  }

  #due(client: number): void {
    const where = this.#where[client];
    if (where === Where.away) {
      this.#attempt(client);
      return;
    }
    const node = this.#nodes[this.#node[client]!]!;
    if (where === Where.queued) {
      this.#open(client, node);
      return;
    }
    node.closing--;
    this.#ended.add(node);
    this.#lose(client, this.#options.code);
  }

  #lose(client: number, code: number): void {
    this.#lost++;
    this.#lostAt[client] = this.#ticks;
    this.#failures[client] = 0;
    this.#comeBack(client, code, 0);
  }

  /** @param after - until the client knows that it needs another attempt, in ms */
  #fail(client: number, after: number): void {
    if (this.#failures[client]! < 255) this.#failures[client]!++;
    this.#comeBack(client, 1006, after);
  }

  #comeBack(client: number, code: number, after: number): void {
    const wait = this.#options.backOff.wait(code, this.#failures[client]!, this.random);
    const latency = min(this.#connectLatency(), LONGEST_LATENCY);
    this.#where[client] = Where.away;
    this.#wheel.schedule(client, after + wait + latency);
  }

  #attempt(client: number): void {
    const { capacity, connectTimeout } = this.#options;
    const now = this.now();
    const place = this.#routes[floor(this.random() * this.#routes.length)]!;
    const node = this.#nodes[place]!;
    if (node.refusing) {
      this.#refused++;
      this.#fail(client, 0);
      return;
    }
    if (node.phase === 'serving') this.#meters[place]!.count(now);
    const startsAt = max(node.freeAt, now);
    if (startsAt - now > connectTimeout) {
      this.#gaveUp++;
      this.#fail(client, connectTimeout);
      return;
    }
    node.freeAt = startsAt + 1_000 / capacity;
    this.#node[client] = place;
    this.#where[client] = Where.queued;
    if (node.freeAt - now > TICK) this.#wheel.schedule(client, node.freeAt - now);
    else this.#open(client, node);
  }

  #open(client: number, node: VirtualNode): void {
    this.#returned++;
    this.#delays[min(this.#ticks - this.#lostAt[client]!, DELAYS - 1)]!++;
    this.#where[client] = Where.nowhere;
    this.#free[this.#freeCount++] = client;
    node.clients++;
    if (node.phase !== 'serving') this.#opened.add(node);
  }

  /** The delay that this part of all returns stayed within, in ms. */
  #delayOf(part: number): number {
    let left = this.#returned * part;
    for (let ticks = 0; ticks < DELAYS; ticks++) {
      left -= this.#delays[ticks]!;
      if (left <= 0) return ticks * TICK;
    }
    return DELAYS * TICK;
  }
}
