import os
from collections.abc import Iterator

import pytest

from probes.nvml_board import CALL_S_MAX, NO_GPU, OPEN_S_MAX, Board
from telemetry.clock import monotonic_ns


@pytest.fixture
def board() -> Iterator[Board]:
    board = Board.create()
    yield board
    board.close()


def test_nothing_is_overdue_on_a_new_board(board: Board) -> None:
    assert board.overdue(monotonic_ns()) is None


def test_a_call_is_overdue_past_its_deadline_and_named(board: Board) -> None:
    before_ns = monotonic_ns()
    board.enter("nvmlDeviceGetPowerUsage", 3, CALL_S_MAX)

    in_time = board.overdue(before_ns + int(CALL_S_MAX * 1e9))
    late = board.overdue(monotonic_ns() + int(CALL_S_MAX * 1e9) + 1)

    assert in_time is None
    assert late is not None
    assert (late.name, late.gpu_index) == ("nvmlDeviceGetPowerUsage", 3)
    assert late.until_ns - late.since_ns == CALL_S_MAX * 1e9


def test_opening_may_take_longer_than_a_call(board: Board) -> None:
    board.enter("nvmlInitWithFlags", NO_GPU, OPEN_S_MAX)

    assert board.overdue(monotonic_ns() + int(CALL_S_MAX * 1e9) + 1) is None
    assert board.overdue(monotonic_ns() + int(OPEN_S_MAX * 1e9) + 1) is not None


def test_a_call_that_returned_is_never_overdue(board: Board) -> None:
    board.enter("nvmlDeviceGetName", 0, 0.0)
    board.leave()

    assert board.overdue(monotonic_ns() + 10**12) is None


def test_the_memory_is_shared_by_its_descriptor(board: Board) -> None:
    other = Board(os.dup(board.fd))
    other.enter("nvmlShutdown", NO_GPU, 0.0)

    late = board.overdue(monotonic_ns() + 1)
    other.close()

    assert late is not None
    assert late.name == "nvmlShutdown"
