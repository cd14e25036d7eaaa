"""The search over a target of known capacity; on real processes: tests/system/test_load_sweep.py."""

from dataclasses import replace

import pytest
from load_rows import row
from test_load_options import options

from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError
from inferometer.load_sweep import COLUMNS, COLUMNS_CLOSED, Choose, run, searched
from loadtest.conductor import EXIT_INCONCLUSIVE, EXIT_INTERRUPTED
from loadtest.plan_spec import Objectives
from loadtest.search import RATIO_ENOUGH, next_step
from loadtest.sweep import Measured

OPTIONS = replace(options(), seconds=61.0, objectives=Objectives(ttft_s=0.5))
CAPACITY_RPS = 10.0


def carried(rate_rps: float) -> tuple[str, int, Measured]:
    """Carry out 60 s: above the capacity every third answer is late."""
    late = rate_rps > CAPACITY_RPS
    rows = [
        row(j, at_s=j / rate_rps, ttft_us=900_000 if late and j % 3 == 0 else 400_000)
        for j in range(round(60 * rate_rps))
    ]
    return f"s-{rate_rps:.3g}", 0, Measured(rows=rows, window_ns=(0, 60_000_000_000))


def chosen(around_rps: float = 12.0, *, bisect: bool = True) -> Choose:
    return lambda steps: next_step(steps, OPTIONS.goodput_ratio, around_rps, bisect=bisect)


@pytest.mark.parametrize("climbs", [True, False])
def test_the_bracket_holds_the_capacity(climbs: bool) -> None:
    bracket = searched(carried, OPTIONS, chosen(bisect=not climbs), 40).bracket

    assert bracket.accepted_rps is not None
    assert bracket.rejected_rps is not None
    assert bracket.accepted_rps <= CAPACITY_RPS < bracket.rejected_rps
    assert bracket.rejected_rps / bracket.accepted_rps <= RATIO_ENOUGH


@pytest.mark.parametrize("code", [EXIT_INTERRUPTED, EXIT_INCONCLUSIVE])
def test_a_run_that_says_nothing_ends_the_search(code: int) -> None:
    def ended(rate_rps: float) -> tuple[str, int, Measured]:
        return carried(rate_rps)[0], code, carried(rate_rps)[2]

    found = searched(ended, OPTIONS, chosen(), 40)
    assert (code, (), ()) == (found.code, found.run_ids, found.steps)


def test_no_more_rates_than_asked_for_but_each_to_its_end() -> None:
    def unsure(rate_rps: float) -> tuple[str, int, Measured]:
        run_id, code, measured = carried(rate_rps)
        return run_id, code, Measured(rows=list(measured.rows)[:100], window_ns=measured.window_ns)  # 100 prove little

    found = searched(unsure, OPTIONS, chosen(5.0), 1)
    assert (1, 3, 300) == (len(found.steps), len(found.run_ids), found.steps[0].step.offered)


def test_a_sweep_without_an_objective_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="needs an objective"):
        run(Config(), options(), 10.0, 1, "json", climbs=False)


def test_what_is_told_of_a_step() -> None:
    assert ("rate_rps", "verdict") == (COLUMNS[0], COLUMNS[-1])
    assert ("users", "loop") == (COLUMNS_CLOSED[0], COLUMNS_CLOSED[-1])
