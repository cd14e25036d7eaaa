"""Knows how requests one by one, with the phases of each, become rows of panels; refuses to know pages.

Source: spec/ui.md 5 (req.rows, req.detail).
"""

from dashboards.asks_latency import PHASES
from telemetry.queries.asked import Asked, Pick
from telemetry.queries.question import Question
from telemetry.queries.request_rows import COLUMNS, Box, request_facets, request_rows


def rows(asked: Asked, _pick: Pick) -> Question:
    """Ask for the requests themselves."""
    return request_rows(asked, Box())


def details(asked: Asked, _pick: Pick) -> Question:
    """Ask for the same with the phases of each, which add up to its end-to-end time as far as it is known."""
    total = " + ".join(f"ifNull({expression}, 0)" for expression in PHASES.values())
    phases = [f"({expression}) / 1000000 AS {name}" for name, expression in PHASES.items()]
    rest = f"if(isNull(e2e_us), NULL, greatest(toInt64(e2e_us) - toInt64({total}), 0)) / 1000000 AS rest"
    more = ["toString(s.origin) AS origin", "s.http_status AS http_status", "toString(s.finish_reason) AS finish"]
    return request_rows(asked, Box(), columns=[*COLUMNS, *phases, rest, *more])


def facets(asked: Asked, _pick: Pick) -> Question:
    """Ask which values are more common among the bad requests than among all."""
    return request_facets(asked, Box())
