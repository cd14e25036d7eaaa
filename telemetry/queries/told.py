"""Knows the questions about what people and alerts did: changes, silences, markers, acts; refuses to judge.

Source: spec/slo.md 4, 10, 17, 18; spec/store.md 3 (`alert_events`, `silences`, `alert_acks`, `markers`, `adjustments`,
`audit`).
"""

from telemetry.queries.question import PAGE_S, Question, Select
from telemetry.queries.standing import STANDING_MARKERS

TOLD_ROWS_MAX = 1_000
"""Rows of one answer."""


def alert_changes(since_ms: int, until_ms: int, *, slo: str = "", severity: str = "", fingerprint: int = 0) -> Question:
    """Ask which alerts changed their state in [since, until); that one was not known and now is calm is no change.

    Rows: `at_unix_ms`, `fingerprint`, `alertname`, `slo`, `severity`, `from_state`, `to_state`, `fired_at_unix_ms`,
    `resolved_at_unix_ms` (both may be NULL), `occurrence`, `labels`, `annotations`; newest first.

    Args:
        since_ms: Unix milliseconds.
        until_ms: End, excluded.
        slo: Only this objective; empty: all.
        severity: Only this severity; empty: all.
        fingerprint: Only this alert; 0: all.
    """
    values = {"slo": slo, "severity": severity, "fingerprint": fingerprint}
    return _asked(_CHANGES, since_ms, until_ms, **values)


def pages(since_ms: int, until_ms: int) -> Question:
    """Ask which pages began or ceased to fire in [since, until).

    Rows: as of `alert_changes`.
    """
    return _asked(_PAGES, since_ms, until_ms)


def acknowledgements(since_ms: int, until_ms: int) -> Question:
    """Ask who took alerts on in [since, until).

    Rows: `at_unix_ms`, `fingerprint`, `who`, `until_unix_ms` (NULL: as long as it fires); newest first.
    """
    return _asked(_ACKS, since_ms, until_ms)


def last_silences(since_ms: int, until_ms: int) -> Question:
    """Ask for the last state of the silences that were made or changed in [since, until).

    Rows: `silence_id`, `names`, `ops`, `values` (three arrays, one entry per matcher), `at_unix_ms` (of that state),
    `starts_at_unix_ms`, `ends_at_unix_ms`, `author`, `comment`; newest first.
    """
    return _asked(_SILENCES, since_ms, until_ms)


def markers(since_ms: int, until_ms: int) -> Question:
    """Ask what happened in [since, until).

    Rows: `at_unix_ms`, `end_unix_ms` (may be NULL), `kind`, `service`, `endpoint`, `version`, `actor`, `automated`,
    `text`; newest first.
    """
    return _asked(_MARKERS, since_ms, until_ms)


def adjustments(since_ms: int, until_ms: int) -> Question:
    """Ask which times that count less begin in [since, until).

    Rows: `at_unix_ms`, `end_unix_ms` (may be NULL), `selector`, `rrule`, `percent_excluded` (the least of its rows: one
    that was withdrawn has a row of 0), `reason`, `author`; newest first.
    """
    return _asked(_ADJUSTMENTS, since_ms, until_ms)


def acts(since_ms: int, until_ms: int) -> Question:
    """Ask what people changed in [since, until).

    Rows: `at_unix_ms`, `actor`, `action`, `object`, `before`, `after`, `source_ip`, `prev_hash`, `hash` (hexadecimal);
    newest first.
    """
    return _asked(_ACTS, since_ms, until_ms)


def tokens_out(since_ms: int, until_ms: int) -> Question:
    """Ask how many output tokens of users came in the hours of [since, until).

    Row, one: `tokens`.
    """
    return Question(sql=_TOKENS, parameters={"since": since_ms, "until": until_ms}, seconds_max=PAGE_S)


def _asked(sql: str, since_ms: int, until_ms: int, **values: object) -> Question:
    named = {"since": since_ms, "until": until_ms, "most": TOLD_ROWS_MAX, **values}
    return Question(sql=sql, parameters=named, seconds_max=PAGE_S)


def _ms(column: str, named: str = "") -> str:
    return f"toUnixTimestamp64Milli({column}) AS {named or column.rpartition('.')[2]}_unix_ms"


_WITHIN = (
    "{table}.at >= fromUnixTimestamp64Milli({{since:Int64}})",
    "{table}.at < fromUnixTimestamp64Milli({{until:Int64}})",
)


def _within(table: str) -> list[str]:
    return [one.format(table=table) for one in _WITHIN]


_LIMIT = "LIMIT {most:UInt32}"
_CHANGE_COLUMNS = [
    _ms("e.at"),
    *("fingerprint", "alertname", "slo", "severity", "from_state", "to_state"),
    _ms("e.fired_at"),
    _ms("e.resolved_at"),
    *("occurrence", "labels", "annotations"),
]
_CHANGE_ORDER = ["e.at DESC", "fingerprint", "occurrence", "to_state"]
_ONCE = "LIMIT 1 BY e.at, fingerprint, occurrence, to_state\n" + _LIMIT
_CHANGES = Select(
    columns=_CHANGE_COLUMNS,
    source="inferometer.alert_events AS e",
    where=[
        *_within("e"),
        "NOT (from_state = 'unknown' AND to_state = 'inactive')",
        "({slo:String} = '' OR slo = {slo:String})",
        "({severity:String} = '' OR severity = {severity:String})",
        "({fingerprint:UInt64} = 0 OR fingerprint = {fingerprint:UInt64})",
    ],
    order_by=_CHANGE_ORDER,
    tail=_ONCE,
).text()
_PAGES = Select(
    columns=_CHANGE_COLUMNS,
    source="inferometer.alert_events AS e",
    where=[*_within("e"), "severity = 'page'", "'firing' IN (from_state, to_state)"],
    order_by=_CHANGE_ORDER,
    tail=_ONCE,
).text()
_ACKS = Select(
    columns=[_ms("a.at"), "fingerprint", "who", _ms("a.until")],
    source="inferometer.alert_acks AS a",
    where=_within("a"),
    order_by=["a.at DESC", "fingerprint", "who"],
    tail=_LIMIT,
).text()
_SILENCES = Select(
    columns=[
        "silence_id",
        *(f"argMax(s.matchers.{name}, s.at) AS {named}" for name, named in (("name", "names"), ("op", "ops"))),
        "argMax(s.matchers.value, s.at) AS values",
        _ms("max(s.at)", "at"),
        _ms("argMax(s.starts_at, s.at)", "starts_at"),
        _ms("argMax(s.ends_at, s.at)", "ends_at"),
        *(f"argMax(s.{name}, s.at) AS {name}" for name in ("author", "comment")),
    ],
    source="inferometer.silences AS s",
    where=_within("s"),
    group_by=["silence_id"],
    order_by=["max(s.at) DESC", "silence_id"],
    tail=_LIMIT,
).text()
_MARKERS = Select(
    columns=[
        _ms("m.at"),
        _ms("m.end"),
        *("kind", "service", "endpoint", "version", "actor", "automated", "text"),
    ],
    source=f"(\n{STANDING_MARKERS.text()}\n) AS m",
    where=_within("m"),
    order_by=["m.at DESC", "kind", "text"],
    tail=_LIMIT,
).text()
_ADJUSTMENTS = Select(
    columns=[
        _ms("j.at"),
        _ms("j.end"),
        *("selector", "rrule", "min(j.percent_excluded) AS percent_excluded", "reason", "author"),
    ],
    source="inferometer.adjustments AS j",
    where=_within("j"),
    group_by=["j.at", "j.end", "selector", "rrule", "reason", "author"],
    order_by=["j.at DESC", "selector"],
    tail=_LIMIT,
).text()
_ACTS = Select(
    columns=[
        _ms("u.at"),
        *("actor", "action", "object", "before", "after", "source_ip"),
        *(f"lower(hex(u.{name})) AS {name}" for name in ("prev_hash", "hash")),
    ],
    source="inferometer.audit AS u",
    where=_within("u"),
    order_by=["u.at DESC", "hash"],
    tail=f"LIMIT 1 BY u.hash\n{_LIMIT}",
).text()
_TOKENS = Select(
    columns=["sum(h.tokens_by_event) AS tokens"],
    source="inferometer.r_1h AS h",
    where=[
        "traffic = 'user'",
        "t >= toDateTime(intDiv({since:Int64}, 1000))",
        "t < toDateTime(intDiv({until:Int64}, 1000))",
    ],
).text()
