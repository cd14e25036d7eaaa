"""Which step a time has, and which words are times."""

import pytest

from slo.panel_window import (
    SPAN_S_MAX,
    STEP_S_MAX,
    STEPS_MAX,
    TIME_CHARS_MAX,
    Span,
    coarser,
    instant_ms,
    span,
    stored,
    whole_steps,
)

NOW_MS = 1_795_741_350_123
DAY_S = 86_400

RANGES = [
    pytest.param("now-5m", False, 1, 1, id="five minutes"),
    pytest.param("now-15m", False, 1, 1, id="a quarter of an hour"),
    pytest.param("now-15m", True, 10, 1, id="percentiles of a quarter of an hour"),
    pytest.param("now-901s", False, 60, 10, id="a second more"),
    pytest.param("now-1d", True, 60, 10, id="a day"),
    pytest.param("now-2d", False, 120, 10, id="two days"),
    pytest.param("now-3d", False, 3_600, 60, id="three days"),
    pytest.param("now-60d", False, 3_600, 60, id="sixty days"),
    pytest.param("now-61d", False, 21_600, 60, id="more"),
]


@pytest.mark.parametrize(("since", "is_quantile", "step_s", "tick_s"), RANGES)
def test_the_step_follows_the_length(since: str, is_quantile: bool, step_s: int, tick_s: int) -> None:
    found = span(since, "", None, NOW_MS, is_quantile=is_quantile)

    assert (step_s, tick_s) == (found.step_s, found.tick_s)
    assert NOW_MS == found.until_ms


@pytest.mark.parametrize(
    ("since", "until", "step_s"),
    [
        pytest.param("now-4d", f"{NOW_MS // 1000 - 4 * DAY_S + 60}", 60, id="seconds are kept three days"),
        pytest.param("now-91d", f"{NOW_MS // 1000 - 91 * DAY_S + 3_600}", 3_600, id="minutes are kept ninety"),
    ],
)
def test_what_is_old_has_a_coarser_step(since: str, until: str, step_s: int) -> None:
    assert step_s == span(since, until, None, NOW_MS, is_quantile=False).step_s


def test_the_step_that_is_asked_for_is_taken_up_to_a_bound() -> None:
    assert 1 == span(f"now-{STEPS_MAX}s", "", 1, NOW_MS, is_quantile=False).step_s
    assert STEP_S_MAX == DAY_S
    with pytest.raises(ValueError, match="allowed are 11000"):
        span(f"now-{STEPS_MAX + 1}s", "", 1, NOW_MS, is_quantile=False)


@pytest.mark.parametrize(
    ("since", "until"),
    [
        pytest.param("now", "now-1m", id="an end before its start"),
        pytest.param("now", "", id="no time at all"),
        pytest.param(f"{NOW_MS // 1000 - SPAN_S_MAX - 1}", "", id="longer than anything is kept"),
        pytest.param("yesterday", "", id="a word"),
        pytest.param("2026-01-01T00:00:00", "", id="no zone"),
        pytest.param("1" * TIME_CHARS_MAX, "", id="a number that is no time"),
        pytest.param("now-1y", "", id="no unit of ours"),
    ],
)
def test_what_is_no_time_is_refused(since: str, until: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        span(since, until, None, NOW_MS, is_quantile=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW_MS),
        ("now-90s", NOW_MS - 90_000),
        ("now-2w", NOW_MS - 14 * DAY_S * 1000),
        ("1795741350", 1_795_741_350_000),
        ("2026-11-27T01:02:30Z", 1_795_741_350_000),
        ("2026-11-27T02:02:30.5+01:00", 1_795_741_350_500),
    ],
)
def test_a_time_may_be_written_in_several_ways(text: str, expected: int) -> None:
    assert expected == instant_ms(text, NOW_MS)


def test_a_series_ends_with_its_last_whole_step() -> None:
    one = Span(since_ms=61_000, until_ms=299_999, step_s=60, tick_s=1)

    assert Span(since_ms=60_000, until_ms=240_000, step_s=60, tick_s=1) == whole_steps(one)


def test_a_series_has_one_step_at_least() -> None:
    one = Span(since_ms=61_000, until_ms=62_000, step_s=60, tick_s=1)

    assert Span(since_ms=60_000, until_ms=120_000, step_s=60, tick_s=1) == whole_steps(one)


@pytest.mark.parametrize(
    ("mark_ms", "until_ms"),
    [
        pytest.param(299_000, 299_000, id="not all of it is stored"),
        pytest.param(300_000, 300_000, id="all of it is"),
        pytest.param(179_000, 300_000, id="what is old is stale"),
        pytest.param(None, 300_000, id="nobody says so"),
    ],
)
def test_a_series_ends_where_everything_is_stored(mark_ms: int | None, until_ms: int) -> None:
    one = Span(since_ms=60_000, until_ms=300_000, step_s=60, tick_s=1)

    assert until_ms == stored(one, mark_ms).until_ms


@pytest.mark.parametrize(
    ("since", "step_s"),
    [
        pytest.param("now-15m", 10, id="few enough"),
        pytest.param("now-1d", 300, id="whole minutes"),
        pytest.param("now-60d", 18_000, id="whole hours"),
        pytest.param("now-800d", 86_400, id="no step is longer than a day"),
    ],
)
def test_where_few_steps_can_be_told_apart_they_are_longer(since: str, step_s: int) -> None:
    assert step_s == span(since, "", None, NOW_MS, is_quantile=True, steps_max=300).step_s


def test_a_step_that_is_asked_for_is_taken_there_too() -> None:
    assert 60 == span("now-1d", "", 60, NOW_MS, is_quantile=True, steps_max=300).step_s


def test_steps_grow_until_they_are_a_day() -> None:
    one = Span(since_ms=0, until_ms=10 * DAY_S * 1000, step_s=60, tick_s=1)
    longest = Span(since_ms=0, until_ms=10 * DAY_S * 1000, step_s=DAY_S, tick_s=1)

    assert Span(since_ms=0, until_ms=one.until_ms, step_s=180, tick_s=1) == coarser(one, 2.1)
    assert longest == coarser(one, 1e9)
    assert None is coarser(longest, 2)
