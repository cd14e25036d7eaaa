from dataclasses import replace
from pathlib import Path

import pytest
from test_load_options import options

from inferometer.errors import ConfigurationError
from inferometer.load_keys import LoadKeys
from inferometer.load_options import plan_spec, planned, run_spec
from inferometer.load_replay import left_out, trace_spec
from loadtest.plan_spec import TraceFormat

AZURE = Path(__file__).parent.parent / "fixtures" / "traces" / "azure.csv"
REPLAY = replace(
    options(),
    seconds=None,
    warm_up=0.0,
    cool_down=0.0,
    trace=trace_spec(AZURE, TraceFormat.AZURE),
    trace_path=str(AZURE),
)


def test_a_replay_is_a_plan_of_the_traces_own_times() -> None:
    spec = plan_spec(REPLAY)
    plan = planned(spec, LoadKeys(), str(AZURE))

    assert (19, None) == (len(plan), spec.rate)
    assert str(AZURE) == run_spec(REPLAY, spec, LoadKeys(), run_id="r", directory="d", model="m").trace_path
    assert {} == left_out(REPLAY, AZURE)


def test_what_is_too_long_is_counted() -> None:
    asked = replace(REPLAY, trace=trace_spec(AZURE, TraceFormat.AZURE, tokens_max=500))

    assert {"too long"} == set(left_out(asked, AZURE))


def test_the_busiest_second_is_held_against_the_ceiling() -> None:
    with pytest.raises(ConfigurationError, match=r"rate_rps_max of 0\.5"):
        planned(plan_spec(REPLAY), LoadKeys(rate_rps_max=0.5), str(AZURE))


@pytest.mark.parametrize(
    ("path", "rest", "named"),
    [
        pytest.param(Path("nowhere.csv"), {}, "No such file", id="no file"),
        pytest.param(AZURE, {"scale": -1.0}, "scale", id="no scale"),
    ],
)
def test_what_is_no_trace_is_refused(path: Path, rest: dict[str, float | None], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        trace_spec(path, TraceFormat.AZURE, **rest)


def test_a_trace_of_which_nothing_is_left_is_refused() -> None:
    asked = replace(REPLAY, trace=trace_spec(AZURE, TraceFormat.AZURE, start_s=1e6))

    with pytest.raises(ConfigurationError, match="found 0 arrivals"):
        left_out(asked, AZURE)
