"""Knows what Grafana asks the store so that it may alarm, one number per series; refuses to know thresholds and words.

Grafana reads a table whose only number is the value and whose texts are the labels, one series per row. A statement
has a row where all is well, too, so that an answer without rows means that nobody knows.

Error: requests are summed by whole minutes, so a window of five may hold up to a minute more.

Source: Grafana, "Example of alerting on tabular data"; grafana/clickhouse-datasource, docs/sources/alerting.md (no
variable and no front-end macro holds there); spec/slo.md 5 (windows), 6 (G1), 7 (fresh within 2 min).
"""

from dashboards.macros import to_grafana
from telemetry.queries.alert_states import last_alert_states
from telemetry.queries.health import coverage
from telemetry.queries.question import Question, Select

BEGIN_MS = 1_000
"""Whichever time: macros stand in its place."""
EVENTS_MIN, BAD_MIN = 10, 3
"""Requests of the long window, and bad ones of them, with less of which nobody is told."""
_UNTIL = "fromUnixTimestamp64Milli({until:Int64})"
_DAY_S = 86_400
_KNOWN = Select(
    columns=["endpoint"],
    source="inferometer.heartbeats",
    where=[f"ts > {_UNTIL} - INTERVAL 1 DAY", f"ts <= {_UNTIL}"],
    group_by=["endpoint"],
)


def burn(allowed_ratio: float, long_s: int, short_s: int) -> str:
    """Return the statement for the burn rate of each endpoint, the lower of two windows: both exceed what it exceeds.

    0 where too few requests ended, or too few of them were bad.

    Args:
        allowed_ratio: Share of requests that may be bad.
        long_s: The long window.
        short_s: The short window.
    """
    windows = {"long": "{long_s:Int64}", "short": "{short_s:Int64}"}
    sums = [
        f"sumIf({what}, t >= {_UNTIL} - toIntervalSecond({length})) AS {name}_{window}"
        for window, length in windows.items()
        for name, what in (("n", "s.good + s.bad"), ("bad", "s.bad"))
    ]
    counted = Select(
        columns=["endpoint", *sums],
        source="inferometer.r_1m AS s",
        # Subtle: a request that names no model is no inference, for example a look at /health.
        where=[
            *("traffic = {traffic:String}", "model != ''"),
            *(f"t >= {_UNTIL} - toIntervalSecond({{long_s:Int64}})", f"t <= {_UNTIL}"),
        ],
        group_by=["endpoint"],
    )
    few = "c.n_long < {events:UInt64} OR c.bad_long < {bad:UInt64} OR c.n_short = 0"
    ratio = "least(c.bad_long / c.n_long, c.bad_short / c.n_short)"
    found = Select(
        columns=[
            "CAST(k.endpoint, 'String') AS endpoint",
            f"if({few}, 0., {ratio} / {{allowed:Float64}}) AS burn",
        ],
        source=f"(\n{_KNOWN.text()}\n) AS k\nLEFT JOIN (\n{counted.text()}\n) AS c USING (endpoint)",
        order_by=["endpoint"],
    )
    values: dict[str, object] = {
        "until": BEGIN_MS, "long_s": long_s, "short_s": short_s, "traffic": "user", "allowed": allowed_ratio,
        "events": EVENTS_MIN, "bad": BAD_MIN,
    }  # fmt: skip
    return _told(Question(sql=found.text(), parameters=values))


def firing(severity: str) -> str:
    """Return the statement for the alerts of ours that fire: 1 for each, and a row with 0 that names none.

    Args:
        severity: Only those.
    """
    states = last_alert_states(BEGIN_MS)
    fires = "q.to_state = 'firing' AND q.labels['severity'] = {severity:String}"
    found = Select(
        columns=[
            "CAST(q.labels['alertname'], 'String') AS alert",
            "CAST(q.labels['slo'], 'String') AS slo",
            "lower(leftPad(hex(q.fingerprint), 16, '0')) AS fingerprint",
            "1 AS firing",
        ],
        source=f"(\n{states.sql}\n) AS q",
        where=[fires],
    )
    sql = f"{found.text()}\nUNION ALL\nSELECT 'none' AS alert, '' AS slo, '' AS fingerprint, 0 AS firing"
    return _told(Question(sql=sql, parameters={**states.parameters, "severity": severity}))


def silence_s() -> str:
    """Return the statement for the seconds since each endpoint was heard, of those that were within a day."""
    heard = coverage(BEGIN_MS)
    found = Select(
        columns=[
            "CAST(q.endpoint, 'String') AS endpoint",
            "({at:Int64} - max(q.heard_unix_ms)) / 1000 AS silence_s",
        ],
        source=f"(\n{heard.sql}\n) AS q",
        group_by=["q.endpoint"],
        order_by=["endpoint"],
    )
    return _told(Question(sql=found.text(), parameters=heard.parameters))


def uncounted_s() -> str:
    """Return the statement for the seconds by which the counts of objectives are behind requests.

    0 while nothing was counted for a day: then there are no objectives.
    """
    day = [f"t > {_UNTIL} - INTERVAL 1 DAY", f"t <= {_UNTIL}"]
    newest = ["toInt64(toUnixTimestamp(max(t))) AS at_s"]
    counted = Select(columns=newest, source="inferometer.slo_minutes", where=day)
    ended = Select(columns=newest, source="inferometer.r_1m", where=[*day, "traffic = {traffic:String}"])
    found = Select(
        columns=["if(c.at_s = 0, 0, greatest(0, e.at_s - c.at_s)) AS behind_s"],
        source=f"(\n{counted.text()}\n) AS c\nCROSS JOIN (\n{ended.text()}\n) AS e",
    )
    return _told(Question(sql=found.text(), parameters={"until": BEGIN_MS, "traffic": "user"}))


def _told(question: Question) -> str:
    return to_grafana(question.sql, question.parameters)
