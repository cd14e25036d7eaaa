"""Knows the questions how long requests waited for their first output, hour by hour; refuses to judge a drift.

Where one limit holds for all, requests slower than multiples of it are counted one by one. It may grow with the input,
`base + per_token * tokens_in`, so that longer prompts are no drift; a request whose input is unknown has no limit then,
and is left out. What ended before it was slow without any output shows nothing of the time to first output, and is left
out too; what waited longer than the first multiple without output is slow, if that is why it ended: the time ran out,
or its client left.

Source: spec/slo.md 13 (`p99_drift`), 3 (limits over the input); spec/measurement.md 10 (a wait that its client ended).
"""

from dataclasses import dataclass

from telemetry.outcome import Outcome
from telemetry.queries.asked import ENDED_WITHIN
from telemetry.queries.question import PAGE_S, Question, Select


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """How long a first output may take.

    Attributes:
        base_us: With no input at all.
        per_token_us: More for each input token; at 0 inputs need not be known.
    """

    base_us: float
    per_token_us: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no request can keep.

        Raises:
            ValueError: The limit is not above 0, or falls with the input.
        """
        if not (self.base_us >= 0 and self.per_token_us >= 0 and self.base_us + self.per_token_us > 0):
            raise ValueError(f"a limit of {self.base_us} us and {self.per_token_us} us per token is none")


def slow_by_hour(since_ms: int, until_ms: int, anchor: Anchor, ratios: tuple[float, float]) -> Question:
    """Ask, for the hours of [since, until), how many requests of users were slower than two multiples of an anchor.

    Rows: `endpoint`, `model`, `t_unix_s` (start of the hour), `n` (requests whose wait is known), `over_first`,
    `over_second`, `squares_first`, `squares_second` (sums over the minutes of the squares of those counts); hours
    ascending, hours without any are absent.

    Args:
        since_ms: Start of the first hour, unix milliseconds.
        until_ms: End of the last one, excluded.
        anchor: How long a first output may take.
        ratios: The multiples, the smaller one first.
    """
    values = {
        "since": since_ms,
        "until": until_ms,
        "base_us": anchor.base_us,
        "per_token_us": anchor.per_token_us,
        "first": ratios[0],
        "second": ratios[1],
        "waited": [Outcome.TIMEOUT_FIRST_TOKEN.value, Outcome.CLIENT_CANCELLED.value],
    }
    return Question(sql=_SLOW, parameters=values, seconds_max=PAGE_S)


def waits_by_hour(since_ms: int, until_ms: int) -> Question:
    """Ask how long the requests of users waited in the hours of [since, until), as histograms.

    Rows: `endpoint`, `model`, `t_unix_s` (start of the hour), `waited_h` (bucket to requests that had an output),
    `abandon_h` (bucket to requests that their client left before any); hours ascending, hours without any are absent.

    Args:
        since_ms: Start of the first hour, unix milliseconds.
        until_ms: End of the last one, excluded.
    """
    return Question(sql=_WAITS, parameters={"since": since_ms, "until": until_ms}, seconds_max=PAGE_S)


_GAVE_UP = "n_out_events = 0 AND outcome IN {waited:Array(String)}"
_LIMITED = Select(
    columns=[
        *("endpoint", "model"),
        "toStartOfMinute(ended_at) AS minute",
        "{base_us:Float64} + if({per_token_us:Float64} = 0, 0, {per_token_us:Float64} * tokens_in) AS limit_us",
        "isNotNull(ttft_us) AS has_output",
        "coalesce(ttft_us, elapsed_us) AS wait_us",
    ],
    source="inferometer.requests",
    where=[
        *ENDED_WITHIN,
        "traffic = 'user'",
        "eligible != 'excluded'",
        "isNotNull(limit_us)",
        f"(has_output OR {_GAVE_UP} AND wait_us > {{first:Float64}} * limit_us)",
    ],
)
_RATIOS = ("first", "second")
_MINUTES = Select(
    columns=[
        *("endpoint", "model", "minute"),
        "count() AS rows",
        *(f"countIf(wait_us > {{{ratio}:Float64}} * limit_us) AS {ratio}" for ratio in _RATIOS),
    ],
    source=_LIMITED,
    group_by=["endpoint", "model", "minute"],
)
_SLOW = Select(
    columns=[
        *("endpoint", "model"),
        "toUnixTimestamp(toStartOfHour(minute)) AS t_unix_s",
        "sum(rows) AS n",
        *(f"sum({ratio}) AS over_{ratio}" for ratio in _RATIOS),
        *(f"sum({ratio} * {ratio}) AS squares_{ratio}" for ratio in _RATIOS),
    ],
    source=_MINUTES,
    group_by=["endpoint", "model", "t_unix_s"],
    order_by=["endpoint", "model", "t_unix_s"],
).text()
_WAITS = Select(
    columns=[
        *("endpoint", "model"),
        "toUnixTimestamp(t) AS t_unix_s",
        "mapAdd(sumMap(s.ttft_h), sumMap(s.ttft_nok_h)) AS waited_h",
        "sumMap(s.abandon_h) AS abandon_h",
    ],
    source="inferometer.r_1h AS s",
    where=[
        "t >= fromUnixTimestamp64Milli({since:Int64})",
        "t < fromUnixTimestamp64Milli({until:Int64})",
        "traffic = 'user'",
    ],
    group_by=["endpoint", "model", "t"],
    order_by=["endpoint", "model", "t"],
).text()
