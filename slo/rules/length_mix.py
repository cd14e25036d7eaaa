"""Knows when requests have other lengths than they used to; refuses to call that a fault.

The mix of input or of output lengths, in bands of a factor two, is compared with the same hours of the seven days
before: the index must exceed 0.25 by more than chance makes it (`slo.stability`). Longer prompts raise latency
honestly, so this ticket stands beside alerts of latency and says why.

Naive: the index against those hours and as many before them, above 0.25. A batch that comes every night moves it every
night, and so does chance where few requests are.

Error: as `slo.stability`. Below `min_events` requests on either side, or with fewer than `DAYS_MIN` days before, it is
not known.

Source: spec/slo.md 14 (`length_mix_shift`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from slo.inhibit import Kind
from slo.jump import Verdict
from slo.rules.chosen import least_events, window_s
from slo.rules.rule import Found, Row, Rows, RuleId, Settings
from slo.rules.subject import labels, where
from slo.stability import Moved, moved
from telemetry.queries.lengths import length_mix
from telemetry.queries.question import Question

INDEX = 0.25
WINDOW_S = 21_600
EVENTS_MIN = 100
DAYS_MIN = 3
"""Days before that must have requests in the same hours."""

_SIDES = {"in": "inputs", "out": "outputs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthMixShiftRule:
    """Another mix of lengths than in the same hours before; `window_s` is a day at most."""

    settings: Settings
    id: RuleId = field(default=RuleId.LENGTH_MIX_SHIFT, init=False)
    kind: Kind = field(default=Kind.OTHER, init=False)
    every_s: int = field(default=3_600, init=False)
    for_s: int = field(default=0, init=False)

    def questions(self, at_s: int) -> Mapping[str, Question]:
        """Return what to ask at an instant."""
        since_s = at_s - window_s(self.settings, WINDOW_S)
        return {"lengths": length_mix(since_s * 1_000, at_s * 1_000)}

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:  # noqa: ARG002 -- the rows know when they are of
        """Return what moved, for every endpoint and model that has requests now."""
        return [self._found(row) for row in rows["lengths"] if row["n_now"]]

    def _found(self, row: Row) -> Found:
        known = {side: self._moved(row, side) for side in _SIDES}
        limit = self._limit
        shifted = {side: one for side, one in known.items() if one and one.index > limit + one.noise}
        plain = [moved(row[f"{side}_now"], row[f"{side}_around"]) for side in _SIDES]
        is_naive = any(one is not None and one.index > limit for one in plain)
        told = shifted or {side: one for side, one in known.items() if one}
        return Found(
            labels=labels(row),
            sound=Verdict.TICKET if shifted else Verdict.SILENT,
            naive=Verdict.TICKET if is_naive else Verdict.SILENT,
            words={"summary": f"{where(row)}: " + ("; ".join(map(_words, told, told.values())) or "too few requests")},
            is_known=bool(shifted) or all(known.values()),
        )

    def _moved(self, row: Row, side: str) -> Moved | None:
        """Return how far one side moved; None if too little is known of it."""
        now, same = row[f"{side}_now"], row[f"{side}_same"]
        fewest = min(sum(now.values()), sum(same.values()))
        enough = fewest >= least_events(self.settings, EVENTS_MIN) and row["days"] >= DAYS_MIN
        return moved(now, same) if enough else None

    @property
    def _limit(self) -> float:
        return INDEX if self.settings.threshold is None else self.settings.threshold


def _words(side: str, one: Moved) -> str:
    band = f"{one.bucket} to {2 * one.bucket - 1}" if one.bucket > 1 else str(one.bucket)
    share = f"{one.share_before:.1%} before, {one.share_now:.1%} now"
    return f"{_SIDES[side]} moved by {one.index:.2f} (chance alone {one.noise:.2f}); of {band} tokens were {share}"
