import { BACK_OFFS } from './back-off.strategies.js';
import { planOf } from './report.text.js';
import { PLANS, SHARE_OF_CAPACITY, type Cluster, type SweepRow } from './settings.sweep.js';

const WIDTH = 900;
const LABELS = 230;
const GAP = 50;
const TOP = 118;
const ROW = 40;
const PANEL = (WIDTH - LABELS - GAP - 30) / 2;
const BOTTOM = TOP + PLANS.length * ROW;
const HEIGHT = BOTTOM + 62;

/** Readable in both; the page around an image can't say which it is. */
const STYLE = `
    .page { fill: #ffffff } text { fill: #1f2328; font: 12px system-ui, sans-serif }
    .title { font-size: 15px; font-weight: 600 } .head { font-weight: 600 } .quiet { fill: #59636e }
    .grid { stroke: #d1d9e0 } .limit { stroke: #cf222e; stroke-width: 1.5; stroke-dasharray: 5 3 } .limit-text { fill: #cf222e }
    .s0 { fill: #cf222e } .s1 { fill: #bc4c00 } .s2 { fill: #9a6700 } .s3 { fill: #0969da } .s4 { fill: #1a7f37 }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0d1117 } text { fill: #f0f6fc } .quiet { fill: #9198a1 } .grid { stroke: #3d444d }
      .limit { stroke: #ff7b72 } .limit-text { fill: #ff7b72 }
      .s0 { fill: #ff7b72 } .s1 { fill: #ffa657 } .s2 { fill: #e3b341 } .s3 { fill: #58a6ff } .s4 { fill: #56d364 }
    }`;

/** A shape of its own for each back-off, so that colour is not all that tells them apart. */
const SHAPES = [
  'M-5 -5H5V5H-5Z',
  'M0 -6.5L6.5 0L0 6.5L-6.5 0Z',
  'M0 -6L6 5H-6Z',
  'M-6 -5H6L0 6Z',
  'M-5.5 0A5.5 5.5 0 1 0 5.5 0A5.5 5.5 0 1 0 -5.5 0Z',
];

interface Panel {
  readonly title: string;
  readonly left: number;
  readonly value: (row: SweepRow) => number;
  readonly ticks: readonly number[];
  readonly position: (value: number) => number;
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x}" y="${y}" ${attributes}>${content}</text>`;
}

function marker(index: number, x: number, y: number, title: string): string {
  return `<path class="s${index}" transform="translate(${x.toFixed(1)} ${y.toFixed(1)})" d="${SHAPES[index]!}"><title>${title}</title></path>`;
}

function logPanel(rows: readonly SweepRow[], capacity: number): Panel {
  const values = [...rows.map(({ result }) => Math.max(1, result.peak)), capacity];
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  const left = LABELS;
  return {
    title: 'Peak of reconnects a second, busiest node (log)',
    left,
    value: ({ result }) => Math.max(1, result.peak),
    ticks: Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index)),
    position: (value) => left + (PANEL * (Math.log10(value) - low)) / (high - low),
  };
}

function linearPanel(rows: readonly SweepRow[]): Panel {
  const ends = rows.map(({ result }) => result.finishedAt).filter(Number.isFinite);
  const most = Math.max(1_000, ...ends) / 1_000;
  const step =
    [10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000].find((width) => most / width <= 5) ??
    most;
  const end = Math.ceil(most / step) * step;
  const left = LABELS + PANEL + GAP;
  return {
    title: 'Time to finish, s',
    left,
    value: ({ result }) => result.finishedAt / 1_000,
    ticks: Array.from({ length: end / step + 1 }, (_, index) => index * step),
    position: (value) => left + (PANEL * value) / end,
  };
}

function draw({ title, left, ticks, position, value }: Panel, rows: readonly SweepRow[]): string[] {
  const parts = [text(left, TOP - 14, title, 'class="head"')];
  for (const tick of ticks) {
    const x = position(tick);
    parts.push(`<line class="grid" x1="${x}" x2="${x}" y1="${TOP}" y2="${BOTTOM}"/>`);
    parts.push(
      text(x, BOTTOM + 18, tick.toLocaleString('en'), 'class="quiet" text-anchor="middle"'),
    );
  }
  for (const row of rows.filter((candidate) => Number.isFinite(value(candidate)))) {
    const kind = BACK_OFFS.findIndex(({ name }) => name === row.backOff.name);
    const y = TOP + ROW * (PLANS.indexOf(row.plan) + 0.5) + (kind - 2) * 6;
    const label = `${planOf(row.plan)}; ${row.backOff.name}: ${Math.round(value(row))}`;
    parts.push(marker(kind, position(value(row)), y, label));
  }
  return parts;
}

/** The sweep as an SVG: the peak and the time to finish of every setting, one line a plan. */
export function chartOf(rows: readonly SweepRow[], cluster: Cluster): string {
  const { connections, nodes, capacity } = cluster;
  const peak = logPanel(rows, capacity);
  const limit = peak.position(capacity * SHARE_OF_CAPACITY);
  const legend = BACK_OFFS.flatMap(({ name }, index) => {
    const x = 26 + index * 172;
    return [marker(index, x, 64, name), text(x + 12, 68, name)];
  });
  const plans = PLANS.map((plan, index) => text(20, TOP + ROW * (index + 0.5) + 4, planOf(plan)));
  const title = `Rolling deploy of ${nodes} nodes with ${connections.toLocaleString('en')} connections`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${title}">
  <style>${STYLE}
  </style>
  <rect class="page" width="${WIDTH}" height="${HEIGHT}"/>
  ${[
    text(20, 30, title, 'class="title"'),
    text(20, 48, 'By how long clients wait before they come back:', 'class="quiet"'),
    ...legend,
    text(20, TOP - 14, 'timeout, batches', 'class="head"'),
    ...plans,
    ...draw(peak, rows),
    `<line class="limit" x1="${limit}" x2="${limit}" y1="${TOP}" y2="${BOTTOM}"/>`,
    text(
      limit,
      BOTTOM + 38,
      `${SHARE_OF_CAPACITY * 100}% of a node's ${capacity.toLocaleString('en')} a second`,
      'class="limit-text" text-anchor="middle"',
    ),
    ...draw(linearPanel(rows), rows),
  ].join('\n  ')}
</svg>
`;
}
