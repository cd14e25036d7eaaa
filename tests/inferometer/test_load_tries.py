import pytest

from inferometer.load_tries import TRIES_MAX, Result, insisted
from loadtest.conductor import EXIT_FAILED, EXIT_INCONCLUSIVE, EXIT_OK
from loadtest.sweep import Measured

NOTHING = Measured(rows=[], window_ns=(0, 1))


@pytest.mark.parametrize(
    ("codes", "runs"),
    [
        pytest.param([EXIT_OK], 1, id="fit at once"),
        pytest.param([EXIT_INCONCLUSIVE, EXIT_OK], 2, id="made again"),
        pytest.param([EXIT_INCONCLUSIVE, EXIT_FAILED], 2, id="made again, and the target went away"),
        pytest.param([EXIT_INCONCLUSIVE] * TRIES_MAX, TRIES_MAX, id="never fit"),
    ],
)
def test_a_run_of_an_unfit_client_is_made_again(codes: list[int], runs: int) -> None:
    left = enumerate(codes)

    def carry() -> Result:
        number, code = next(left)
        return f"s-{number}", code, NOTHING

    assert (f"s-{runs - 1}", codes[-1], NOTHING) == insisted(carry)
    assert [] == list(left)
