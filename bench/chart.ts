import { median, ratiosOf, type Figures } from './figures.js';

const ROW = 24;
const LABELS = 330;
const BARS = 340;
const FIGURES = 70;
const TOP = 44;

/** Grows with the logarithm, as some of the ratios are fifty times others. */
function lengthOf(ratio: number, most: number): number {
  return (Math.max(0, Math.log2(ratio) + 1) / (Math.log2(most) + 1)) * BARS;
}

/** How many times as good as the stock adapter ours is, as bars. */
export function chartOf(all: readonly Figures[]): string {
  const ratios = all.map((figures) => median(ratiosOf(figures, 'safe', 'stock')));
  const most = Math.max(2, ...ratios);
  const one = LABELS + lengthOf(1, most);
  const height = TOP + all.length * ROW + 12;
  const rows = all.map(({ name }, index) => {
    const y = TOP + index * ROW;
    const end = LABELS + lengthOf(ratios[index]!, most);
    return `  <text x="${LABELS - 8}" y="${y + 15}" text-anchor="end">${name}</text>
  <rect x="${LABELS}" y="${y + 3}" width="${(end - LABELS).toFixed(1)}" height="${ROW - 8}" rx="2"/>
  <text x="${(end + 6).toFixed(1)}" y="${y + 15}">${ratios[index]!.toFixed(1)} ×</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${LABELS + BARS + FIGURES}" height="${height}" font-family="system-ui, sans-serif" font-size="12">
  <style>
    text { fill: #24292f }
    rect { fill: #2da44e }
    line { stroke: #57606a; stroke-dasharray: 3 3 }
    @media (prefers-color-scheme: dark) {
      text { fill: #d0d7de }
      line { stroke: #8b949e }
    }
  </style>
  <text x="${LABELS}" y="16" font-weight="600">How many times as good as the stock adapter, by figure</text>
  <text x="${one.toFixed(1)}" y="34" text-anchor="middle">1 × (logarithmic)</text>
  <line x1="${one.toFixed(1)}" y1="${TOP - 4}" x2="${one.toFixed(1)}" y2="${height - 8}"/>
${rows.join('\n')}
</svg>
`;
}
