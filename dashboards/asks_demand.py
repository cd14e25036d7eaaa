"""Knows how arrivals, which completions hide, become columns of panels; refuses to know outcomes.

Collectors count arrivals; the count of a step is what it grew by since the heartbeat before, of each boot.

Source: spec/store.md 3 (heartbeats); spec/ui.md 5 (fleet.demand).
"""

from dataclasses import dataclass, replace

from dashboards.asks_engine import conditions
from dashboards.asks_engine import parameters as filters
from telemetry.queries.asked import Asked, Dim, Pick, Source, parameters, table
from telemetry.queries.asked import conditions as of_requests
from telemetry.queries.question import Question, Select

_LEAD_MS = 120_000
"""How long before a window the heartbeat may be that its first one is compared with: silence beyond it is a gap."""
_DENSE_MS = 2 * 86_400_000
"""Length beyond which the ends of a window are those of minutes."""
_MINUTE_MS = 60_000
_UNKNOWN = "CAST(NULL, 'Nullable(UInt64)')"
_USER = "user"


def arrivals(asked: Asked, *keys: str) -> Question:
    """Ask how many requests began; rows: `t_unix_s` of a series, the keys, `arrived`.

    `arrived` is NULL where a filter is asked for that heartbeats cannot honour: they know endpoints, and only of some
    the model. Of more than two days, both ends are rounded down to a minute.
    """
    rows = _MINUTES if _is_of_minutes(asked) else _SECONDS
    of_endpoint, of_model = conditions(rows.time, ("endpoint", "model"))[-2:]
    is_unknown = bool(asked.where.keys() - {Dim.ENDPOINT, Dim.MODEL}) or asked.traffic != _USER
    step = "toUInt32(0)" if asked.step_s is None else _STEP.format(rows.time)
    # A total only grows, so the ends of a step say by how much; there are far fewer of them than heartbeats.
    ends = Select(
        columns=[
            *_BOOT,
            f"{rows.time} >= {rows.at.format('{since:Int64}')} AS is_inside",
            f"{step} AS t_unix_s",
            f"min({rows.least}) AS first",
            f"max({rows.most}) AS last",
            f"{'0' if is_unknown else of_model} AS is_known",
        ],
        source=f"{rows.table} AS s",
        where=[
            f"{rows.time} >= {rows.at.format(f'{{since:Int64}} - {_LEAD_MS}')}",
            f"{rows.time} < {rows.at.format('{until:Int64}')}",
            *(of_endpoint, f"(s.model = '' OR {of_model})"),
        ],
        group_by=[*_BOOT, "is_inside", "t_unix_s"],
    )
    over = (
        f"OVER (PARTITION BY {', '.join(_BOOT)} ORDER BY is_inside, t_unix_s ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)"
    )
    grew = Select(
        columns=["*", f"lagInFrame(last, 1, first) {over} AS before", "last - least(before, last) AS grew"],
        source=ends,
    )
    names = [*([] if asked.step_s is None else ["t_unix_s"]), *keys]
    found = Select(
        columns=[*names, "if(min(is_known), toUInt64(sum(grew)), NULL) AS arrived"],
        source=grew,
        where=["is_inside"],
        group_by=names,
    )
    return Question(sql=found.text(), parameters=filters(asked))


def demand(asked: Asked, pick: Pick) -> Question:
    """Ask what arrived, finished and was good, a second."""
    is_raw = pick.source is Source.RAW
    time = "toUnixTimestamp(ended_at)" if is_raw else "toUnixTimestamp(t)"
    n, good = ("count()", "countIf(eligible = 'good')") if is_raw else ("sum(s.n)", "sum(s.good)")
    ended = Select(
        columns=[
            f"intDiv({time}, {{step_s:UInt32}}) * {{step_s:UInt32}} AS t_unix_s",
            f"{_UNKNOWN} AS arrived",
            f"{n} AS n",
            f"{good} AS good",
        ],
        source=table(pick),
        where=of_requests(asked, pick),
        group_by=["t_unix_s"],
    )
    began = arrivals(replace(asked, since_ms=pick.since_ms, until_ms=pick.until_ms))
    first = Select(columns=["t_unix_s", "arrived", "0 AS n", "0 AS good"], source=f"(\n{began.sql}\n)")
    both = f"(\n{first.text()}\nUNION ALL\n{ended.text()}\n)"
    found = Select(
        columns=[
            "t_unix_s AS t",
            *(
                f"sum(b.{one}) / {{step_s:UInt32}} AS {name}"
                for one, name in (("arrived", "arrived"), ("n", "finished"), ("good", "good"))
            ),
            "toUInt64(sum(b.n)) AS n",
        ],
        source=f"{both} AS b",
        group_by=["t_unix_s"],
        order_by=["t"],
    )
    return Question(sql=found.text(), parameters={**began.parameters, **parameters(asked, pick)})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Where totals are read: table, time and its form of unix milliseconds, least and largest total of a row."""

    table: str
    time: str
    at: str
    least: str
    most: str


_SECONDS = _Rows(
    table="inferometer.heartbeats",
    time="s.ts",
    at="fromUnixTimestamp64Milli({0})",
    least="s.arrivals_total",
    most="s.arrivals_total",
)
_MINUTES = _Rows(
    table="inferometer.r_heartbeats_1m",
    time="s.t",
    at="toStartOfMinute(fromUnixTimestamp64Milli({0}))",
    least="s.arrivals_total_min",
    most="s.arrivals_total_max",
)


def _is_of_minutes(asked: Asked) -> bool:
    """Return whether minutes tell as much as seconds, or there are too many of those."""
    is_whole = not any(one % _MINUTE_MS for one in (asked.since_ms, asked.until_ms, 1000 * (asked.step_s or 0)))
    return is_whole or asked.until_ms - asked.since_ms > _DENSE_MS


_STEP = "intDiv(toUnixTimestamp({0}), {{step_s:UInt32}}) * {{step_s:UInt32}}"
_BOOT = ("collector", "boot", "endpoint", "model", "workload_class")
"""What a total belongs to."""
