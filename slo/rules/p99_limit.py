"""Knows the rule `p99_over_sla`: more than 1 % of requests slower than they may be; refuses to know why.

What a request may take is the option `sla_s`, and to its first token `ttft_s`; else what the objectives of its endpoint
say (`slo.limits`). Where nobody said anything, nothing is proven, and only the naive reading is shown, against 0.8 s:
an answer of 70 tokens takes longer than that, and nobody promised it. Failed requests count as slow, and so do those
whose client waited longer for a first output, and left.

Sound: as `slo.lasting.p99`, over the last minute, 5 min and 1 h. Naive: the P99 of 5 min is above 1.1 times the limit;
of 60 requests it is the slowest one.

Error: as `slo.jump.p99_over_sla`. Slow requests that come together prove less, which is not divided for, since answers
have the histograms of whole spans, not of minutes; they must go on instead (`slo.lasting`, measured with bursts).
Durations come from the histograms of the roll-up, and only a request that is slower for certain is called slow: one up
to 4.43 % above 1.1 times the limit is not.

Source: spec/slo.md 13 (`p99_over_sla`, seed S3: P99 > SLA * 1.10), 2 (`endpoint_p99_sla`: 0.8 s, to be set), A13.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from slo.counts import Counts
from slo.inhibit import Kind
from slo.jump import Verdict, p99_over_sla
from slo.lasting import FOR_S, LAST_S, LONG_S, SHORT_S, Looked, p99
from slo.limits import Limits, limits
from slo.objective import Objective
from slo.rules.explained import LIMIT
from slo.rules.rule import Found, Row, Rows, RuleId, Settings
from slo.rules.subject import labels, share, where
from slo.words import span
from telemetry.histogram import index
from telemetry.queries.question import Question
from telemetry.queries.slowness import slowness
from telemetry.queries.spans import whole

TOLERANCE = 1.1
"""Multiple of the limit from which a request is slow."""
SLA_S = 0.8
"""Longest request of the naive reading, where nobody set a limit."""

_LAST, _SHORT, _LONG = range(3)
_FIGURES = {"ttft": "the first token", "e2e": "the whole request"}


@dataclass(frozen=True, slots=True, kw_only=True)
class P99LimitRule:
    """A P99 above what a request may take.

    Settings: `threshold` is the multiple of the limit; `window_s` the long window, of whole minutes, whose twelfth is
    the short one; below `min_events` requests in the long window nothing is proven. Options: `sla_s` and `ttft_s`, the
    limits.

    Attributes:
        objectives: Whose limits hold where none is configured.
    """

    settings: Settings
    objectives: Sequence[Objective] = ()
    id: RuleId = field(default=RuleId.P99_OVER_SLA, init=False)
    kind: Kind = field(default=Kind.LATENCY, init=False)
    every_s: int = field(default=60, init=False)
    for_s: int = field(default=FOR_S, init=False)
    _said: dict[tuple[str, str], Limits] = field(
        default_factory=dict[tuple[str, str], Limits], init=False, repr=False, compare=False
    )

    def questions(self, at_s: int) -> Mapping[str, Question]:
        """Return what to ask at a whole minute."""
        return {"slowness": slowness([(at_s - length_s, at_s) for length_s in (LAST_S, self._short_s, self._long_s)])}

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:  # noqa: ARG002 -- the windows are in the answer
        """Return what is too slow of every endpoint and model that had requests within the long window."""
        found: list[Found] = []
        for row in rows["slowness"]:
            known = self._limits(row)
            found += [self._found(row, figure, limit_us) for figure, limit_us in known.items()]
            if not known:
                found.append(_without_limit(row, self._found(row, "e2e", SLA_S * 1e6)))
        return found

    @property
    def _long_s(self) -> int:
        return whole(self.settings.window_s or LONG_S)

    @property
    def _short_s(self) -> int:
        return whole(self._long_s * SHORT_S // LONG_S)

    def _limits(self, row: Row) -> dict[str, float]:
        """Return how long a request may take, by figure."""
        said = self._said_of(row["endpoint"], row["model"])
        options = self.settings.options
        known = {
            "ttft": options["ttft_s"] * 1e6 if "ttft_s" in options else said.ttft_us,
            "e2e": options["sla_s"] * 1e6 if "sla_s" in options else said.e2e_us,
        }
        return {figure: limit_us for figure, limit_us in known.items() if limit_us is not None}

    def _said_of(self, endpoint: str, model: str) -> Limits:
        """Return what the objectives say; asked once, because there may be a thousand of them."""
        if (endpoint, model) not in self._said:
            self._said[endpoint, model] = limits(self.objectives, endpoint, model)
        return self._said[endpoint, model]

    def _found(self, row: Row, figure: str, limit_us: float) -> Found:
        slow_us = limit_us * (TOLERANCE if self.settings.threshold is None else self.settings.threshold)
        last, short, long = (_counts(row, figure, at, slow_us) for at in (_LAST, _SHORT, _LONG))
        judged = p99(Looked(last=last, short=short, long=long))
        naive = p99_over_sla(short.bad, short.eligible).naive
        enough = long.eligible >= (self.settings.min_events or 0)
        words = {
            "summary": f"{where(row)}: {share(short)} took more than {slow_us / 1e6:.3g} s to {_FIGURES[figure]} or"
            f" failed over {span(self._short_s)}, {share(long)} over {span(self._long_s)}; allowed is 1 %",
            "naive": f"the P99 of {short.eligible} requests over {span(self._short_s)} is"
            f" {'not ' if naive is Verdict.SILENT else ''}slower",
            LIMIT: f"{slow_us / 1e6:g}",
        }
        return Found(
            labels={**labels(row), "figure": figure},
            sound=judged.sound if enough else Verdict.SILENT,
            naive=naive,
            words=words,
            bad=long.bad,
        )


def _without_limit(row: Row, found: Found) -> Found:
    """Return what is said where nobody set a limit: the naive reading, and how to set one.

    It is about no figure, so that an alert whose limit was taken away is found no more, and ends.
    """
    summary = f"no limit is set (slo.rules.p99_over_sla.options.sla_s, or an objective); {found.words['summary']}"
    words = {**found.words, "summary": summary}
    return replace(found, labels=labels(row), sound=Verdict.SILENT, is_known=False, words=words)


def _counts(row: Row, figure: str, at: int, slow_us: float) -> Counts:
    """Return the requests of a span, and those that are slower than a limit for certain, or failed."""
    slow, left = (_above(row[name][at], slow_us) for name in (f"{figure}_h", "abandon_h"))
    bad = slow + left + int(row["bad"][at])
    return Counts(eligible=max(bad, int(row["eligible"][at]) + left), bad=bad)


def _above(histogram: Mapping[int, int], limit_us: float) -> int:
    return sum(n for bucket, n in histogram.items() if bucket > index(int(limit_us)))
