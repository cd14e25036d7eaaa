"""Knows when the measurements themselves cannot be trusted; refuses to judge what they say.

    drops        records dropped > 0.1 % of those accepted in 15 min, or set aside because the store refused them: a
                 ticket
    lag          watermark more than 30 s behind the collector's own heartbeat: a ticket; more than 5 min: a page.
                 Heartbeats have a lane of their own, so they arrive while the store refuses requests: the schema has
                 drifted, the writer is denied, or so many rows were refused that the shipper has stopped. The records
                 wait in the spool meanwhile, and this page is the only one about it.
    clock        the wall clock stepped between two heartbeats: a ticket
    unobserved   more than 1 % of an endpoint's requests are proven to have an ending that nobody saw, as frames were
                 lost: a ticket; naively it is one above 1 %, which is 2 of 100

The naive reading of a collector sees figures, and figures look calm while rows are missing: it is silent. A collector
that was not heard for two minutes is not known; `TelemetryGap` and `SLOBlind` speak of it.

Not told by any table, and therefore not looked at: errors of a type that no rule of the taxonomy knows (they end as
`server_error` and are counted at the collector's own `/metrics`), and the store's own drift check, which `inferometer
doctor` runs.

Error: a heartbeat is a second old, and the watermark is up to a second behind by design; the share of unseen endings is
a filter at 5 %, as `slo.special.proven_above`.

Source: spec/slo.md 14 (`telemetry_self`); spec/store.md 10.4 (drift: spool on, a human must act), 10.10 (watermark).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from slo.inhibit import Kind
from slo.jump import Verdict
from slo.rules.chosen import MINUTE_S, window_s
from slo.rules.rule import Found, Row, Rows, RuleId, Settings
from slo.special import proven_above
from slo.telemetry_state import STALE_S
from telemetry.clock import STEP_MS_MAX
from telemetry.queries.pipeline import LOOK_BACK_MS, collectors, unobserved
from telemetry.queries.question import Question

WINDOW_S = 900
"""Time over which losses are counted; whole minutes."""
DROPPED_RATIO = 0.001
"""Share of accepted records that may be dropped."""
LAG_S, LAG_PAGE_S = 30, 300
"""How far a watermark may be behind, for a ticket and for a page."""
UNOBSERVED_RATIO = 0.01
"""Share of requests that may have an unknown ending."""
REQUESTS = 100
"""Fewer requests say nothing of that share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetrySelfRule:
    """Finds collectors and endpoints whose measurements cannot be trusted; `window_s` is an hour at most."""

    settings: Settings
    id: RuleId = field(default=RuleId.TELEMETRY_SELF, init=False)
    kind: Kind = field(default=Kind.OTHER, init=False)
    every_s: int = field(default=60, init=False)
    for_s: int = field(default=0, init=False)

    def questions(self, at_s: int) -> Mapping[str, Question]:
        """Return what to ask at an instant."""
        length_s = window_s(self.settings, WINDOW_S, MINUTE_S, most_s=LOOK_BACK_MS // 1000)
        window_ms = (at_s - length_s) * 1000, at_s * 1000
        return {"collectors": collectors(*window_ms), "unobserved": unobserved(*window_ms)}

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:
        """Return what the answers say of every collector and of every endpoint."""
        found = [self._collector(at_s, row) for row in rows["collectors"]]
        return found + [self._endpoint(row) for row in rows["unobserved"]]

    def _collector(self, at_s: int, row: Row) -> Found:
        labels = {"collector": str(row["collector"])}
        if at_s * 1000 - int(row["heard_unix_ms"]) > STALE_S * 1000:
            words = {"summary": f"{row['collector']} is not heard"}
            return Found(labels=labels, sound=Verdict.SILENT, words=words, is_known=False)
        faults = list(self._faults(row))
        pages = int(row["lag_ms"]) > self.settings.options.get("lag_page_s", LAG_PAGE_S) * 1000
        sound = (Verdict.PAGE if pages else Verdict.TICKET) if faults else Verdict.SILENT
        summary = "; ".join(faults) or "loses nothing and is up to date"
        return Found(labels=labels, sound=sound, words={"summary": f"{row['collector']}: {summary}"})

    def _faults(self, row: Row) -> Iterator[str]:
        """Yield what is wrong with a collector, in words."""
        limit = DROPPED_RATIO if self.settings.threshold is None else self.settings.threshold
        if int(row["dropped"]) > limit * int(row["accepted"]):
            yield f"{row['dropped']} of {row['accepted']} records dropped"
        if int(row["dlq"]):
            yield f"{row['dlq']} records set aside because the store refused them"
        if int(row["lag_ms"]) > self.settings.options.get("lag_s", LAG_S) * 1000:
            lag_s = int(row["lag_ms"]) / 1000
            yield f"the store takes its heartbeats and, since {lag_s:.0f} s, not its records; {row['spooled']} wait"
        if int(row["step_us"]) > STEP_MS_MAX * 1000:
            yield f"its clock stepped by {int(row['step_us']) / 1e6:.1f} s"

    def _endpoint(self, row: Row) -> Found:
        n, lost = int(row["n"]), int(row["unobserved"])
        is_known = n >= (self.settings.min_events or REQUESTS)
        limit = self.settings.options.get("unobserved_ratio", UNOBSERVED_RATIO)
        return Found(
            labels={"endpoint": str(row["endpoint"])},
            sound=Verdict.TICKET if is_known and proven_above(lost, n, limit) else Verdict.SILENT,
            naive=Verdict.TICKET if lost > limit * n else Verdict.SILENT,
            words={"summary": f"{row['endpoint']}: the ending of {lost} of {n} requests was not seen"},
            is_known=is_known,
        )
