"""How many replicas are asked for: silence alone never makes the number smaller (spec/scaling.md 3, acceptance A2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.hints_spec import KNOWN_S, REPORT_S, SURGE_S, Counted, Replicas, Report, replicas, spec

AT_S = 1_784_110_200


def counted(up: int, down: int = 0, silent: int = 0) -> Counted:
    return Counted(up=up, down=down, silent=silent)


def reported(n: int, ago_s: int) -> Report:
    return Report(at_s=AT_S - ago_s, replicas=n)


@pytest.mark.parametrize(
    ("heard", "before", "asked", "report", "expected"),
    [
        pytest.param(counted(0), None, None, None, None, id="nobody was ever heard"),
        pytest.param(counted(3), None, None, None, 3, id="the first look"),
        pytest.param(counted(3, silent=1), None, None, None, 4, id="the first look, one is silent"),
        pytest.param(counted(4, down=1), 5, 5, None, 5, id="one of five is not ready"),
        pytest.param(counted(4, silent=1), 5, 5, None, 5, id="one of five is not heard"),
        pytest.param(counted(0, silent=5), 5, 5, None, 5, id="nobody is heard"),
        pytest.param(counted(0), 5, 5, None, 5, id="nobody was heard for an hour"),
        pytest.param(counted(4, silent=1), 5, 4, None, 4, id="the one that we asked to remove"),
        pytest.param(counted(4, silent=1), 4, 4, None, 4, id="and it does not come back"),
        pytest.param(counted(4), 5, 5, None, 4, id="one was not heard for an hour, its peers are"),
        pytest.param(counted(4), 4, 6, None, 4, id="a hint alone makes no replicas"),
        pytest.param(counted(4), 4, 6, reported(6, 30), 6, id="those that were reported count before they are heard"),
        pytest.param(counted(4), 6, 6, reported(6, 1_800), 6, id="and go on, while they load"),
        pytest.param(counted(4), 6, 6, reported(6, KNOWN_S + 1), 4, id="until they never came"),
        pytest.param(counted(5), 5, 5, reported(3, 0), 3, id="a change by hand that was reported"),
        pytest.param(counted(0), 1, 0, reported(0, 60), 0, id="none, as reported"),
        pytest.param(counted(0), 0, 0, reported(0, KNOWN_S * 9), 0, id="none, for long"),
    ],
)
def test_how_many_are_asked_for(
    heard: Counted, before: int | None, asked: int | None, report: Report | None, expected: int | None
) -> None:
    assert expected == spec(heard, AT_S, before, asked, report)


@pytest.mark.parametrize(
    ("heard", "asked", "more_s", "report", "expected"),
    [
        pytest.param(counted(6), 5, None, None, 5, id="the new one of an update answers, and the old one still does"),
        pytest.param(counted(5, down=1), 5, None, None, 5, id="it loads, for however long"),
        pytest.param(counted(6), 5, SURGE_S - 1, None, 5, id="not yet long enough"),
        pytest.param(counted(6, down=1), 5, SURGE_S, None, 6, id="those count that answered, not one that loads"),
        pytest.param(counted(5, silent=1), 5, None, None, 5, id="the old one is gone, and not asked for"),
        pytest.param(counted(6), 6, None, None, 6, id="our hint asked for it"),
        pytest.param(counted(7), 6, None, None, 6, id="and for no more"),
        pytest.param(counted(6), 5, None, reported(6, 1_800), 6, id="somebody said so"),
        pytest.param(counted(6), 5, 1_800, reported(5, REPORT_S + 1), 6, id="a removal that never happened"),
    ],
)
def test_more_than_were_asked_for_count_once_they_stay(
    heard: Counted, asked: int, more_s: int | None, report: Report | None, expected: int
) -> None:
    assert expected == spec(heard, AT_S, 5, asked, report, None if more_s is None else AT_S - more_s)


@given(known=st.integers(1, 50), up=st.integers(0, 50), down=st.integers(0, 50), asked=st.integers(0, 60) | st.none())
def test_what_is_not_heard_never_lowers_it_below_what_was_asked(
    known: int, up: int, down: int, asked: int | None
) -> None:
    up = min(up, known)
    down = min(down, known - up)
    found = spec(counted(up, down, known - up - down), AT_S, known, asked, None)

    assert found is not None
    assert found >= min(known, known if asked is None else asked)


@pytest.mark.parametrize(
    ("heard", "asked_for", "is_loading", "expected"),
    [
        pytest.param(counted(4), 4, False, (4, 0, 0, 1.0), id="all are ready"),
        pytest.param(counted(4, down=1), 5, False, (4, 1, 0, 1.0), id="one loads"),
        pytest.param(counted(4, silent=1), 5, False, (5, 0, 0, 0.8), id="one is not heard"),
        pytest.param(counted(4, silent=3), 4, False, (4, 0, 0, 1.0), id="removed ones are not missed"),
        pytest.param(counted(0, silent=4), 4, False, (4, 0, 0, 0.0), id="nobody is heard"),
        pytest.param(counted(0), 4, False, (0, 4, 0, 0.0), id="nobody was heard for an hour"),
        pytest.param(counted(0), 1, True, (0, 1, 0, 1.0), id="the first one loads"),
        pytest.param(counted(0, down=1), 1, False, (0, 1, 0, 1.0), id="the first one is asked, and loads"),
        pytest.param(counted(0), 0, False, (0, 0, 0, 1.0), id="none is asked for"),
        pytest.param(counted(5), 3, False, (3, 0, 2, 1.0), id="two drain"),
    ],
)
def test_how_many_there_are(
    heard: Counted, asked_for: int, is_loading: bool, expected: tuple[int, int, int, float]
) -> None:
    ready, warming, draining, coverage = expected

    assert replicas(heard, asked_for, is_loading=is_loading) == Replicas(
        spec=asked_for, ready=ready, warming=warming, draining=draining, coverage=coverage
    )
