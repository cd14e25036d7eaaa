"""Knows when a change has broken the prefix cache; refuses to blame a cache for other prompts.

Short prompts share less than long ones, so a mix that moves changes the share of inputs read from a cache although the
cache works. What was read is therefore held against what the same inputs would have read before the change: the share
of each band of lengths in the hour before, weighed by the tokens of that band now. A ticket if less than half of that
is read in the hour from the change on, and in the last hour too: it stands while the cache stays broken, for a day.
A cache that was emptied fills again within minutes, hence `FOR_S`.

Naive: the share of everything in the last hour is less than half of that in the hour before the change.

Error: none of the counts. Unknown where requests do not say what was read from a cache, below `min_events` requests in
any of the three hours, and where less than `RATIO_MIN` was read before. Only bands that the hour before has seen are
compared.

Source: spec/slo.md 14 (`prefix_cache_collapse`: -50 % relative within 60 min of a deploy or router change, n >= 1,000).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from slo.inhibit import Kind
from slo.jump import Verdict
from slo.rules.chosen import least_events
from slo.rules.rule import Found, Row, Rows, RuleId, Settings
from slo.rules.subject import labels, where
from telemetry.queries.prefix_cache import hits_around_marks
from telemetry.queries.question import Question

DROP_RATIO = 0.5
EVENTS_MIN = 1_000
RATIO_MIN = 0.05
"""Share that a cache must have read before a change to be missed after it."""
FOR_S = 900
MARKED_S = 86_400
"""How long a change may be what broke the cache."""

_Subject = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixCacheCollapseRule:
    """A prefix cache that reads much less since a change; `threshold` is the relative drop."""

    settings: Settings
    id: RuleId = field(default=RuleId.PREFIX_CACHE_COLLAPSE, init=False)
    kind: Kind = field(default=Kind.OTHER, init=False)
    every_s: int = field(default=300, init=False)
    for_s: int = field(default=FOR_S, init=False)

    def questions(self, at_s: int) -> Mapping[str, Question]:
        """Return what to ask at an instant."""
        return {"hits": hits_around_marks((at_s - MARKED_S) * 1_000, at_s * 1_000)}

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:
        """Return what each change did, for every endpoint and model; of several changes the first one of the worst."""
        worst: dict[_Subject, Found] = {}
        for _, bands in groupby(rows["hits"], key=_change):
            one = self._found(at_s, list(bands))
            subject = one.labels["endpoint"], one.labels["model"]
            if subject not in worst or _rank(one) >= _rank(worst[subject]):  # the newest comes first
                worst[subject] = one
        return list(worst.values())

    def _found(self, at_s: int, bands: Sequence[Row]) -> Found:
        compared = [row for row in bands if row["tokens_before"]]
        n = {span: sum(row[f"n_{span}"] for row in compared) for span in ("before", "first", "last")}
        kept, plain = {span: _kept(compared, span) for span in ("first", "last")}, _plainly_kept(bands)
        enough = min(n.values()) >= least_events(self.settings, EVENTS_MIN)
        is_used = _ratio(compared, "before") >= RATIO_MIN
        limit = 1 - (self.settings.threshold or DROP_RATIO)
        is_broken = enough and is_used and all(one is not None and one < limit for one in kept.values())
        return Found(
            labels=labels(bands[0]),
            sound=Verdict.TICKET if is_broken else Verdict.SILENT,
            naive=Verdict.TICKET if plain is not None and plain < limit else Verdict.SILENT,
            words=_words(at_s, bands, compared, kept["last"]),
            is_known=enough and is_used,
        )


def _change(row: Row) -> tuple[object, ...]:
    return tuple(row[name] for name in ("mark_unix_ms", "endpoint", "model", "kind", "version"))


def _rank(one: Found) -> tuple[bool, bool, bool]:
    return one.sound is not Verdict.SILENT, one.is_known, one.naive is not Verdict.SILENT


def _ratio(bands: Sequence[Row], span: str) -> float:
    tokens = sum(row[f"tokens_{span}"] for row in bands)
    return sum(row[f"hits_{span}"] for row in bands) / tokens if tokens else 0.0


def _kept(bands: Sequence[Row], span: str) -> float | None:
    """Return what is read over what the same inputs would have read before; None if that is nothing."""
    expected = sum(row[f"tokens_{span}"] * row["hits_before"] / row["tokens_before"] for row in bands)
    return sum(row[f"hits_{span}"] for row in bands) / expected if expected else None


def _plainly_kept(bands: Sequence[Row]) -> float | None:
    before, known = _ratio(bands, "before"), any(row["tokens_last"] for row in bands)
    return _ratio(bands, "last") / before if before and known else None


def _words(at_s: int, bands: Sequence[Row], compared: Sequence[Row], kept: float | None) -> Mapping[str, str]:
    first = bands[0]
    change = f"{first['kind']} {first['version']}".strip()
    minutes = (at_s * 1_000 - first["mark_unix_ms"]) // 60_000
    untold = sum(row["untold"] for row in bands)
    told = f"the prefix cache reads {kept:.0%} of what it read of such inputs before" if kept is not None else ""
    return {
        "summary": f"{where(first)}: {minutes} min after {change} "
        + (told or f"it is unknown what the prefix cache reads; {untold} requests do not say it"),
        "sound": _shares(compared),
        "naive": f"{_shares(bands)}, of any length",
    }


def _shares(bands: Sequence[Row]) -> str:
    before, last = _ratio(bands, "before"), _ratio(bands, "last")
    return f"{before:.1%} of input tokens in the hour before, {last:.1%} in the last"
