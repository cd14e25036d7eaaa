"""Knows when a token costs more than it used to, by one's own doing; refuses to blame a quiet night.

The cost of a million output tokens in the window is held against the median of the same hours on seven nights, and its
change is split (`slo.cost`): a ticket if all parts but the floor that traffic leaves make it more than 30 % dearer.
What traffic did alone is information. Replicas are those that answered a scrape; their GPUs are `gpus_per_replica`, or
what was sampled.

Naive: the cost in the window over that in the same hours of yesterday, above 1.3. With less traffic the same replicas
make fewer tokens, so it is true after every quiet night.

Error: as `slo.cost`. Without a price, the speed of a replica, its GPUs, at least `NIGHTS_MIN` nights, and replicas seen
in `SEEN_RATIO` of the minutes it is not known: never 0.

Source: spec/scaling.md 9.4; spec/slo.md 13 (`cost_jump`, seed S3: +30 % overnight).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from slo.cost import HEADROOM, RHO_MAX, Capacity, Change, Span, change
from slo.inhibit import Kind
from slo.jump import Verdict
from slo.rules.chosen import HOUR_S, least_events, window_s
from slo.rules.rule import Found, Row, Rows, RuleId, Settings
from telemetry.queries.question import Question
from telemetry.queries.spending import spending

JUMP_RATIO = 0.3
WINDOW_S = 28_800
"""A night."""
NIGHTS_MIN = 4
"""Nights that must be known."""
SEEN_RATIO = 0.9
"""Share of the minutes of a window in which a replica must have been seen."""
REQUESTS_MIN = 100

_MINUTE_S = 60
_SPEEDS = ("prefill_tokens_per_s", "decode_tokens_per_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """What one endpoint used and made in the window, or in the same hours of a day before.

    Attributes:
        replicas: Mean of those that answered.
        gpus_per_replica: As configured, or sampled; None if neither.
        requests: Of all kinds.
        tokens_read: Input tokens that were not read from a cache.
        tokens: Output tokens.
        span_s: Length, seconds.
    """

    replicas: float
    gpus_per_replica: float | None
    requests: int
    tokens_read: int
    tokens: int
    span_s: int

    @property
    def replica_s_per_token(self) -> float:
        """Seconds of a replica that a token took: its cost without any price."""
        return self.replicas * self.span_s / self.tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class CostJumpRule:
    """A cost per token that jumps; `window_s` is rounded up to whole hours.

    Options: `gpu_usd_per_hour`; `gpus_per_replica`; `prefill_tokens_per_s` and `decode_tokens_per_s` of one replica;
    `headroom`, `rho_max`, `replicas_min` (`slo.cost.Capacity`).
    """

    settings: Settings
    id: RuleId = field(default=RuleId.COST_JUMP, init=False)
    kind: Kind = field(default=Kind.OTHER, init=False)
    every_s: int = field(default=3_600, init=False)
    for_s: int = field(default=0, init=False)

    def questions(self, at_s: int) -> Mapping[str, Question]:
        """Return what to ask at a whole hour."""
        return {"spending": spending((at_s - self._span_s) * 1_000, at_s * 1_000)}

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:  # noqa: ARG002 -- the rows know when they are of
        """Return what the tokens of every endpoint cost that has requests now."""
        by_endpoint = nights(rows["spending"], self._span_s, self.settings.options.get("gpus_per_replica"))
        return [self._found(endpoint, of) for endpoint, of in by_endpoint.items() if 0 in of]

    def _found(self, endpoint: str, of: Mapping[int, Night | None]) -> Found:
        now, yesterday = of.get(0), of.get(1)
        limit = 1 + (JUMP_RATIO if self.settings.threshold is None else self.settings.threshold)
        plain = now.replica_s_per_token / yesterday.replica_s_per_token if now and yesterday else None
        naive = Verdict.TICKET if plain is not None and plain > limit else Verdict.SILENT
        words = {"naive": "unknown" if plain is None else f"{plain:.3g} times the same hours of yesterday"}
        unknown = self._unknown(of)
        if now is None or unknown:
            summary = f"{endpoint}: what a token costs is unknown: {unknown}"
            return Found(
                labels={"endpoint": endpoint},
                sound=Verdict.SILENT,
                naive=naive,
                words={"summary": summary, **words},
                is_known=False,
            )
        past = sorted((self._span(one) for day, one in of.items() if day and one), key=lambda span: span.usd_per_mtok)
        span = self._span(now)
        found = change(past[(len(past) - 1) // 2], span)
        return Found(
            labels={"endpoint": endpoint},
            sound=Verdict.TICKET if found.own_ratio > limit else Verdict.SILENT,
            naive=naive,
            words={"summary": f"{endpoint}: {_words(span, found, len(past))}", **words},
        )

    def _unknown(self, of: Mapping[int, Night | None]) -> str:
        """Return what is missing; empty if nothing is."""
        options, now = self.settings.options, of.get(0)
        missing = [name for name in ("gpu_usd_per_hour", *_SPEEDS) if not options.get(name)]
        if missing:
            return f"{', '.join(missing)} not set"
        if now is None or now.requests < least_events(self.settings, REQUESTS_MIN):
            return "too few requests, or replicas not seen"
        if any(one and one.gpus_per_replica is None for one in of.values()):
            return "gpus_per_replica not set, and no GPU sampled"
        n = sum(bool(day) and one is not None for day, one in of.items())
        return "" if n >= NIGHTS_MIN else f"{n} nights known of {NIGHTS_MIN}"

    def _span(self, night: Night) -> Span:
        options = self.settings.options
        capacity = Capacity(
            prefill_tokens_per_s=options["prefill_tokens_per_s"],
            decode_tokens_per_s=options["decode_tokens_per_s"],
            headroom=options.get("headroom", HEADROOM),
            rho_max=options.get("rho_max", RHO_MAX),
            replicas_min=round(options.get("replicas_min", 1)),
        )
        work_s = capacity.work_s(night.tokens_read, night.tokens)
        return Span(
            usd_per_replica_hour=options["gpu_usd_per_hour"] * (night.gpus_per_replica or 0),
            replicas=night.replicas,
            needed=capacity.needed(work_s, night.span_s),
            work_s=work_s,
            tokens=night.tokens,
            span_s=night.span_s,
        )

    @property
    def _span_s(self) -> int:
        return window_s(self.settings, WINDOW_S, HOUR_S)


def nights(rows: Sequence[Row], span_s: int, gpus_per_replica: float | None) -> dict[str, dict[int, Night | None]]:
    """Return what each endpoint used and made, by days ago; None where it made nothing, or too little was seen.

    Args:
        rows: Of `queries.spending.spending`.
        span_s: Length of the window, seconds.
        gpus_per_replica: As configured; None lets the samples say it.
    """
    found: dict[str, dict[int, Night | None]] = {}
    for row in rows:
        found.setdefault(row["endpoint"], {})[row["days_ago"]] = _night(row, span_s, gpus_per_replica)
    return found


def _night(row: Row, span_s: int, gpus_per_replica: float | None) -> Night | None:
    if row["minutes"] * _MINUTE_S < SEEN_RATIO * span_s or not row["tokens_out"]:
        return None
    replicas = row["replica_minutes"] / row["minutes"]
    if gpus_per_replica is None and row["gpu_minutes_seen"]:
        gpus_per_replica = row["gpu_minutes"] / row["gpu_minutes_seen"] / replicas
    return Night(
        replicas=replicas,
        gpus_per_replica=gpus_per_replica,
        requests=row["requests"],
        tokens_read=max(0, row["tokens_in"] - row["tokens_cache_read"]),
        tokens=row["tokens_out"],
        span_s=span_s,
    )


def _words(now: Span, found: Change, n_nights: int) -> str:
    parts = ", ".join(f"{name} {ratio:.3g}" for name, ratio in found.parts.items())
    return (
        f"a million output tokens cost {now.usd_per_mtok:.3g} USD, {found.ratio:.3g} times the median of {n_nights} "
        f"nights, {found.own_ratio:.3g} times without what traffic did ({parts})"
    )
