"""Handles here are numbers, and what stops one is an event: a pool knows neither chDB nor a statement."""

import threading
from concurrent.futures import CancelledError

import pytest

from inferometer import store_pool
from inferometer.store_pool import BusyError, Pool


def nothing(_: int) -> None:
    pass


def test_one_piece_of_work_more_than_may_wait_is_told_to_come_back() -> None:
    held, gate = [0], threading.Event()
    pool = Pool("test", held, nothing)
    waiting = [pool.submit(lambda _: gate.wait()) for _ in range(len(held) + store_pool.WAITING_MAX)]

    with pytest.raises(BusyError, match="64 statements are waiting"):
        pool.submit(nothing)
    gate.set()
    assert all(work.future.result() for work in waiting)
    assert 0 == pool.submit(lambda held: held).future.result()
    assert [0] == pool.close()


def test_work_that_runs_is_stopped_and_work_that_waits_is_dropped() -> None:
    stops, started = {7: threading.Event()}, threading.Event()

    def run(handle: int) -> bool:
        started.set()
        return stops[handle].wait()

    pool = Pool("test", [7], lambda handle: stops[handle].set())
    first, second = pool.submit(run), pool.submit(run)
    started.wait()
    second.stop()
    first.stop()

    assert first.future.result()
    with pytest.raises(CancelledError):
        second.future.result()
    first.stop()  # what is over is left alone
    pool.close()


def test_a_stop_is_repeated_because_work_may_be_between_two_statements() -> None:
    stopped, twice = threading.Semaphore(0), threading.Event()
    pool = Pool("test", [7], lambda _: stopped.release())

    def work(_: int) -> None:
        twice.set()
        stopped.acquire()
        stopped.acquire()

    running = pool.submit(work)
    twice.wait()
    running.stop()

    assert None is running.future.result()
    pool.close()


def test_a_stop_never_meets_the_next_piece_of_work() -> None:
    stopping, go = threading.Event(), threading.Event()
    seen: list[str] = []

    def stop(_: int) -> None:
        stopping.set()
        go.wait()
        seen.append("stopped")

    pool = Pool("test", [7], stop)
    first = pool.submit(lambda _: stopping.wait())
    second = pool.submit(lambda _: seen.append("second"))
    first.stop()
    stopping.wait()
    go.set()
    second.future.result()

    assert ["stopped", "second"] == seen
    pool.close()


def test_a_held_pool_lets_what_runs_finish_and_begins_nothing_else() -> None:
    pool, gate = Pool("test", [1, 2], nothing), threading.Event()
    running = pool.submit(lambda _: gate.wait())
    threading.Timer(0.05, gate.set).start()
    with pool.held():
        later = pool.submit(lambda handle: handle)
        assert running.future.done()
        assert not later.future.done()

    assert later.future.result() in {1, 2}
    pool.close()


def test_a_pool_that_does_not_become_idle_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 60.0 == store_pool.HOLD_S_MAX
    monkeypatch.setattr(store_pool, "HOLD_S_MAX", 0.05)
    pool, gate = Pool("test", [1, 2], nothing), threading.Event()
    pool.submit(lambda _: gate.wait())

    with pytest.raises(BusyError, match="did not finish"), pool.held():
        pytest.fail("held although something runs")
    gate.set()
    assert pool.submit(lambda handle: handle).future.result() in {1, 2}
    pool.close()
