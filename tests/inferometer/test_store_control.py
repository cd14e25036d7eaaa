"""Orders over a real socket file, to a carrier of orders that is no store."""

import asyncio
import socket
import stat
from pathlib import Path

import pytest

from inferometer import store_control
from inferometer.errors import ConfigurationError, InferometerError
from inferometer.store_control import LINE_BYTES_MAX, NobodyThereError, Order, answering, ordered


def carry_out(order: Order) -> Order:
    if order.get("order") == "fail":
        raise ConfigurationError("cannot\nbe done")
    return {"did": order["order"]}


async def asked(data: Path, *orders: Order) -> list[Order | str]:
    answers: list[Order | str] = []
    async with answering(data, carry_out):
        for order in orders:
            try:
                answers.append(await asyncio.to_thread(ordered, data, order))
            except ConfigurationError as error:
                answers.append(str(error))
            except InferometerError:
                answers.append("no answer")
    return answers


async def test_an_order_is_carried_out_and_a_failure_is_told_in_one_line(tmp_path: Path) -> None:
    assert [{"did": "x"}, "cannot be done"] == await asked(tmp_path, {"order": "x"}, {"order": "fail"})


async def test_only_the_owner_of_the_directory_reaches_the_socket_and_it_goes_with_the_store(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)  # a socket's address alone would be too short for it
    deep.mkdir(parents=True)
    async with answering(deep, carry_out):
        place = deep / "run" / "store.sock"
        assert 0o600 == stat.S_IMODE(place.stat().st_mode)
        assert 0o700 == stat.S_IMODE(place.parent.stat().st_mode)
        assert {"did": "x"} == await asyncio.to_thread(ordered, deep, {"order": "x"})
    assert not place.exists()


async def test_a_socket_that_a_killed_store_left_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "run" / "store.sock"))
    with pytest.raises(NobodyThereError):
        ordered(tmp_path, {"order": "x"})

    assert [{"did": "x"}] == await asked(tmp_path, {"order": "x"})


@pytest.mark.parametrize("length", [LINE_BYTES_MAX - 14, LINE_BYTES_MAX + 1])
async def test_an_order_is_bounded(tmp_path: Path, length: int) -> None:
    [answer] = await asked(tmp_path, {"order": "x" * length})

    assert isinstance(answer, str) is (length > LINE_BYTES_MAX)


def test_where_no_store_runs_nobody_is_there(tmp_path: Path) -> None:
    with pytest.raises(NobodyThereError):
        ordered(tmp_path / "none", {"order": "x"})
    assert [] == list(tmp_path.iterdir())


def test_an_answer_is_waited_for_an_hour() -> None:
    assert 3600.0 == store_control.ORDER_S_MAX
