"""Spans of one question."""

import pytest

from telemetry.queries.spans import SPANS_MAX, by_span, values, whole, within


@pytest.mark.parametrize(
    "spans", [(), ((0, 60),) * (SPANS_MAX + 1), ((0, 30),), ((30, 60),), ((60, 60),)], ids=lambda spans: str(spans)[:30]
)
def test_spans_that_are_none_are_refused(spans: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(ValueError, match="span"):
        values(spans)


def test_a_length_is_made_of_whole_minutes() -> None:
    assert [whole(length_s) for length_s in (0, 59, 60, 119, 3_600)] == [60, 60, 60, 60, 3_600]


def test_the_text_knows_only_how_many_there_are() -> None:
    assert set(values([(0, 60), (60, 180)])) == {"since", "until", "since_0", "until_0", "since_1", "until_1"}
    assert values([(60, 120), (0, 60)])["since"] == 0
    assert len(values([(0, 60)] * SPANS_MAX)) == 2 * SPANS_MAX + 2
    assert by_span(lambda inside: f"sumIf(n, {inside})", 1, "n") == f"[sumIf(n, {within(1)[0]})] AS n"
