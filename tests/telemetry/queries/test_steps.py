"""Numbers of flows that come again: another flow after a silence, the same one before."""

import pytest
from flow_steps import Step, stored_steps
from query_store import SINCE_MS, Stored

from telemetry.queries.asked import Dim
from telemetry.queries.counted import FALSE, TRUE, Clause, Counted
from telemetry.queries.question import Question, Select
from telemetry.queries.steps import Span, group_columns, group_key, steps_of

AT_MS = SINCE_MS - 60 * 3_600_000


@pytest.mark.parametrize(("quiet_s", "expected"), [(9.999, [0, 1, 1]), (10.0, [0, 0, 0])])
def test_a_silence_longer_than_the_bound_begins_another_flow(
    stored: Stored, quiet_s: float, expected: list[int]
) -> None:
    endpoint = f"steps {quiet_s}"
    given = [Step(flow=4, start_s=s, end_s=s + 1, what=w) for s, w in ((0, "a"), (10, "b"), (10.5, "c"))]
    stored.insert(endpoint, stored_steps(given, AT_MS, endpoint))
    only = Clause(sql=f"if(toString(endpoint) = $0, {TRUE}, {FALSE})", values=(endpoint,))
    one = Counted(name="s", only=only, group_by=(Dim.MODEL,))
    span = Span(since_ms=AT_MS, until_ms=AT_MS + 60_000, quiet_us=round(quiet_s * 1e6))
    steps, values = steps_of(one, span)
    rows = stored.rows(Question(sql=steps.text(), parameters=values))
    whole = Select(columns=["part", *group_columns(one)], source=steps, group_by=["part"], order_by=["part"])
    named = Select(columns=["part", group_key(one)], source=whole)
    keys = [row["group_key"] for row in stored.rows(Question(sql=named.text(), parameters=values))]

    assert [row["part"] for row in sorted(rows, key=lambda row: int(str(row["ended_us"])))] == expected
    assert keys == ['{"model":"a"}', '{"model":"b"}'][: 1 + max(expected)], "what the first to end was"
    assert group_key(Counted(name="s")) == "'{}' AS group_key"
