/** accepted = written + dropped + lost, where acknowledged is the part of written that was read. */
export interface SendTotals {
  readonly accepted: number;
  readonly written: number;
  readonly acknowledged: number;
  readonly dropped: number;
  readonly lost: number;
  readonly refused: number;
}

export const NO_SENDS: SendTotals = Object.freeze({
  accepted: 0,
  written: 0,
  acknowledged: 0,
  dropped: 0,
  lost: 0,
  refused: 0,
});

export function sum(a: SendTotals, b: SendTotals): SendTotals {
  return {
    accepted: a.accepted + b.accepted,
    written: a.written + b.written,
    acknowledged: a.acknowledged + b.acknowledged,
    dropped: a.dropped + b.dropped,
    lost: a.lost + b.lost,
    refused: a.refused + b.refused,
  };
}
