"""Knows how our statements become Grafana's, and what its ClickHouse plugin makes of them; refuses to know panels.

Our values become macros and variables of Grafana; what neither has becomes a literal. `expanded` does what the plugin
does before it sends a statement, so that every statement can be run without a Grafana.

Source: spec/ui.md 8 (the table of macros); grafana/clickhouse-datasource, pkg/macros/macros.go.
"""

import re
from collections.abc import Mapping, Sequence
from typing import cast

VARIABLES = ("endpoint", "model")
"""Variables of a dashboard that filter."""
_FROM, _TO = "toUnixTimestamp64Milli($__fromTime_ms)", "toUnixTimestamp64Milli($__toTime_ms)"
_VALUE = re.compile(r"\{(\w+):([A-Z][\w()]*)\}")
_FILTERS = (
    re.compile(r"(?<![\w.])((?:s\.)?\w+) IN \{where_(\w+):Array\(String\)\}"),
    re.compile(r"\(empty\(\{only_(\w+):Array\(String\)\}\) OR ((?:s\.)?\w+) IN \{only_\w+:Array\(String\)\}\)"),
)
_CONDITIONAL = re.compile(r"\$__conditionalAll\(((?:[^()]|\([^()]*\))*), \$(\w+)\)")
_CHOSEN = re.compile(r"\$\{(\w+):singlequote\}")


def to_grafana(sql: str, parameters: Mapping[str, object]) -> str:
    """Return a statement with Grafana's macros in place of our values.

    Args:
        sql: As a panel asks, filtered by whatever Grafana has a variable for.
        parameters: Its values.
    """
    sql = _FILTERS[0].sub(lambda found: _filter(found[2], found[1]), sql)
    sql = _FILTERS[1].sub(lambda found: _filter(found[1], found[2]), sql)
    return _VALUE.sub(lambda found: _written(found[1], found[2], parameters[found[1]]), sql)


def expanded(sql: str, since_ms: int, until_ms: int, interval_s: int, chosen: Mapping[str, tuple[str, ...]]) -> str:
    """Return what the plugin sends.

    Args:
        sql: With macros.
        since_ms: Start of the dashboard's time, unix milliseconds.
        until_ms: Its end.
        interval_s: Seconds between two points.
        chosen: Values of each variable; a variable without any is All.
    """
    sql = _CONDITIONAL.sub(lambda found: found[1] if chosen.get(found[2]) else "1=1", sql)
    sql = _CHOSEN.sub(lambda found: ", ".join(map(_quoted, chosen[found[1]])), sql)
    macros = {
        "$__fromTime_ms": f"fromUnixTimestamp64Milli({since_ms})",
        "$__toTime_ms": f"fromUnixTimestamp64Milli({until_ms})",
        "$__interval_s": str(max(1, interval_s)),
    }
    for name, text in macros.items():
        sql = sql.replace(name, text)
    return sql


def _filter(name: str, column: str) -> str:
    if name not in VARIABLES:
        return "1=1"
    return f"$__conditionalAll({column} IN (${{{name}:singlequote}}), ${name})"


def _written(name: str, kind: str, value: object) -> str:
    match name:
        case "since":
            return _FROM
        case "until" | "at":
            return _TO
        case "step_s" | "seconds":
            return "$__interval_s"
        case _:
            return _literal(kind, value)


def _literal(kind: str, value: object) -> str:
    if kind == "String":
        return _quoted(str(value))
    if kind == "Array(String)":
        listed = cast("Sequence[str]", value)
        return f"CAST([{', '.join(map(_quoted, listed))}], 'Array(String)')"
    return f"CAST({value}, '{kind}')"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
