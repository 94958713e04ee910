import type { ConnectionRecord } from './connection.record.js';
import { ConnectionRun } from './connection.run.js';
import type { Peer } from './peer.js';
import { RawPeer } from './raw.peer.js';
import type { ConnectionPlan, PeerPlan, PeerStep, Schedule } from './schedule.types.js';
import type { TruthApp } from './truth.app.js';
import { findViolations } from './truth.checks.js';
import { turns } from './turns.js';
import { WhatwgPeer } from './whatwg.peer.js';
import { WsPeer } from './ws.peer.js';

/** Far beyond any budget: whatever has not settled by then never will. */
const WATCHDOG_MS = 15_000;
/** How long a script may wait for messages that may never come, in turns of the event loop. */
const PATIENCE = 60;

export interface ScheduleResult {
  readonly schedule: Schedule;
  readonly records: readonly ConnectionRecord[];
  readonly violations: readonly string[];
}

/** Runs a schedule on real sockets, and says what of it was not true. */
export async function runSchedule(app: TruthApp, schedule: Schedule): Promise<ScheduleResult> {
  const records = await Promise.all(schedule.connections.map((plan) => runConnection(app, plan)));
  const violations = records.flatMap((record, index) =>
    findViolations(record).map((text) => `connection ${index}: ${text}`),
  );
  return { schedule, records, violations };
}

async function runConnection(app: TruthApp, plan: ConnectionPlan): Promise<ConnectionRecord> {
  const run = new ConnectionRun(plan, app.service);
  const { url, forget } = app.expect(run);
  const peer = peerOf(url, plan.peer);
  const inTime = await withinReason(play(run, peer));
  if (!inTime) {
    const overdue = [
      ...(peer.ended.done ? [] : ['the client']),
      ...run.unsettled,
      ...(run.disconnects ? [] : ['handleDisconnect']),
    ];
    run.fault(`did not settle: ${overdue.join(', ')}`);
  }
  forget();
  const { sent, questions } = run.sender;
  const { closings, events, faults, outcome, unnumbered, disconnects } = run;
  return {
    plan,
    sent,
    questions,
    closings,
    events,
    faults,
    outcome,
    unnumbered,
    disconnects,
    received: peer.received,
    end: peer.end,
    wire: peer.wire,
    peerHarmed: peer.harmed,
    peerClosed: peer.closed,
  };
}

async function play(run: ConnectionRun, peer: Peer): Promise<void> {
  await Promise.all([peer.opened.reached, run.connected.reached]);
  const script = playScript(peer, run.plan.peer.script);
  run.start('client-open');
  await Promise.all(run.running);
  await Promise.race([script, run.gone.reached, turns(PATIENCE)]);
  await end(run, peer);
  await run.gone.reached;
  peer.release();
  await peer.ended.reached;
  await run.settled();
  await run.left.reached;
  // A second call of a callback, or a frame too many, would come right behind.
  await turns(2);
}

async function end(run: ConnectionRun, peer: Peer): Promise<void> {
  if (run.plan.ending === 'terminate') run.terminate('connection');
  if (run.plan.ending === 'peer') {
    peer.perform({ do: 'close', code: 1000 });
    await Promise.race([run.gone.reached, turns(PATIENCE)]);
  }
  run.close({ by: 'connection', code: 1001, reason: 'the schedule is over' });
}

/** Steps that wait for messages happen within the peer's own event. */
function playScript(peer: Peer, steps: readonly PeerStep[]): Promise<void> {
  return new Promise((resolve) => {
    const next = (index: number): void => {
      const step = steps[index];
      if (!step) {
        resolve();
        return;
      }
      const perform = (): void => {
        peer.perform(step.act);
        next(index + 1);
      };
      if ('messages' in step.wait) peer.onMessages(step.wait.messages, perform);
      else if (step.wait.turns === 0) perform();
      else void turns(step.wait.turns).then(perform);
    };
    next(0);
  });
}

function peerOf(url: string, plan: PeerPlan): Peer {
  if (plan.kind === 'ws') return new WsPeer(url, plan);
  return plan.kind === 'raw' ? new RawPeer(url, plan) : new WhatwgPeer(url);
}

/** Whether it ended at all. */
async function withinReason(work: Promise<void>): Promise<boolean> {
  let watchdog: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    watchdog = setTimeout(() => resolve(false), WATCHDOG_MS);
  });
  const inTime = await Promise.race([work.then(() => true), late]);
  clearTimeout(watchdog);
  return inTime;
}
