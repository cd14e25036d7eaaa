"""What unfit surroundings make of a run (spec/loadtest.md 11, 5)."""

import msgspec
import pytest

from loadtest.conductor import EXIT_FAILED, EXIT_FAULT, EXIT_INCONCLUSIVE, EXIT_INTERRUPTED, EXIT_OK, Ending, Halt
from loadtest.environment import OPAQUE, Finding, State, When, ordered, sentence, unfit, voided
from loadtest.fitness import Check, Fit, Fitness
from loadtest.fitness import State as Held
from loadtest.worker_report import WorkerReport


def finding(state: State, name: str = "queue") -> Finding:
    return Finding(name=name, when=When.BEFORE, state=state, found="3 waiting", allowed="0")


CHECK = Check(name="plan", state=Held.HELD, found="2 of 2", allowed="all")
ENDING = Ending(
    code=EXIT_OK,
    halt=Halt.NONE,
    message="",
    planned=2,
    sha256="",
    whole=WorkerReport(worker=1),
    workers=(),
    lost=(),
    fitness=Fitness(fit=Fit.FIT, checks=(CHECK,)),
)
SAID = "environment: queue before the run: 3 waiting, allowed: 0"


@pytest.mark.parametrize(
    ("code", "message", "expected", "said"),
    [
        pytest.param(EXIT_OK, "", EXIT_INCONCLUSIVE, SAID, id="a good run"),
        pytest.param(EXIT_FAILED, "gone", EXIT_INCONCLUSIVE, f"{SAID}; gone", id="unfit outranks failed"),
        pytest.param(EXIT_INTERRUPTED, "", EXIT_INTERRUPTED, SAID, id="who pressed Ctrl-C hears of that"),
        pytest.param(EXIT_FAULT, "rows lost", EXIT_FAULT, f"{SAID}; rows lost", id="our own fault"),
    ],
)
def test_unfit_surroundings_void_a_run(code: int, message: str, expected: int, said: str) -> None:
    ended = voided(
        msgspec.structs.replace(ENDING, code=code, message=message), [finding(State.OK), finding(State.UNFIT)]
    )

    assert (expected, said) == (ended.code, ended.message)
    assert Fitness(fit=Fit.VOID, checks=(CHECK,)) == ended.fitness


def test_a_run_of_which_nothing_was_sent_is_void_too() -> None:
    ended = voided(msgspec.structs.replace(ENDING, fitness=None), [finding(State.UNFIT)])

    assert Fitness(fit=Fit.VOID, checks=()) == ended.fitness


@pytest.mark.parametrize("state", [State.OK, State.NOTE, State.FLAG, State.UNKNOWN])
def test_anything_else_leaves_a_run_as_it_is(state: State) -> None:
    assert ENDING == voided(ENDING, [finding(state)])
    assert () == unfit([finding(state)])


def test_the_worst_stands_first_and_the_rest_keeps_its_order() -> None:
    given = [finding(State.OK, "a"), finding(State.UNKNOWN, "b"), finding(State.UNFIT, "c"), finding(State.OK, "d")]

    assert ["c", "b", "a", "d"] == [one.name for one in ordered(given)]
    assert State.UNKNOWN is OPAQUE.state
    assert "opaque" in sentence(OPAQUE)
