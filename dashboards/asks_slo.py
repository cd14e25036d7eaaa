"""Knows where the excess of bad requests is concentrated, as rows of a panel; refuses to call that a cause.

Source: spec/ui.md 5 (slo.contributors); spec/slo.md 12 (contributors); telemetry.queries.excess.
"""

from dataclasses import replace

from dashboards.asks import renamed
from telemetry.queries.about import last_day, scope_of
from telemetry.queries.asked import Asked, Dim, Pick
from telemetry.queries.excess import LIFT_MIN, contributors_of
from telemetry.queries.question import PAGE_S, Question, Select

_SPOKEN = {Dim.WORKLOAD_CLASS: "class", Dim.PROMPT_LENGTH: "input length"}
_DIM = f"transform(q.dim, {[one.value for one in _SPOKEN]}, {[*_SPOKEN.values()]}, q.dim)"
_TOKENS = "concat(q.value, ' to ', toString(2 * toUInt64OrZero(q.value) - 1), ' tokens')"
_VALUE = f"if(q.dim = '{Dim.PROMPT_LENGTH.value}', {_TOKENS}, q.value)"
BAD_MIN = 3
"""A value stands out by its lift only if so many of its requests are bad: one of one is no concentration."""


def contributors(asked: Asked, _pick: Pick) -> Question:
    """Ask which values hold the excess of bad requests over the same hours of the days before.

    What stands out is first, then the largest share; what has no name says nothing.
    """
    columns = [
        f"{_DIM} AS dimension",
        f"{_VALUE} AS value",
        # It is more than all where others have fewer bad requests than usual.
        "least(q.share, 1) AS share",
        *("q.excess AS excess", "q.bad AS bad", "q.ratio_ref AS usual", "q.lift AS lift", "q.n AS n"),
        "1 / q.one_in AS looked_at",
    ]
    found = renamed(contributors_of(scope_of(last_day(asked))), columns)
    shown = Select(
        columns=["*"],
        source=f"(\n{found.sql}\n)",
        where=["value != ''"],
        order_by=[f"lift >= {LIFT_MIN} AND bad >= {BAD_MIN} DESC", "share DESC", "excess DESC", "dimension", "value"],
    )
    # An explanation of an alert has less time, and a shorter window.
    return replace(found, sql=shown.text(), seconds_max=PAGE_S)
