import pytest

from loadtest.environment import State, When
from loadtest.environment_client import Machine, findings


@pytest.mark.parametrize(
    ("machine", "states"),
    [
        pytest.param(
            Machine(governors=frozenset({"performance"}), load=1.0, cores=2, swap_bytes=0),
            ["ok"] * 3,
            id="as it must be",
        ),
        pytest.param(
            Machine(governors=frozenset({"powersave", "performance"}), load=1.01, cores=2, swap_bytes=1 << 20),
            ["note"] * 3,
            id="each beside its limit",
        ),
        pytest.param(
            Machine(governors=None, load=None, cores=2, swap_bytes=None), ["unknown"] * 3, id="nobody could look"
        ),
    ],
)
def test_the_machine_of_the_client(machine: Machine, states: list[str]) -> None:
    told = findings(machine, When.BEFORE)

    assert states == [one.state for one in told]
    assert ["client_governor", "client_load", "client_swap"] == [one.name for one in told]
    assert State.UNFIT not in [one.state for one in told]
