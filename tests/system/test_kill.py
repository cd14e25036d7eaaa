"""Shows that no death of a part fails a user's request or loses a spooled record.

Raw clients stream from the simulated engine through the whole product while its parts are killed at random moments.
After each test everything drains, and the books are compared with the store: accepted = stored + spooled + dropped +
dlq, and every stored record is there once.

Source: spec/reliability.md 2, 3 (G1-G5), 7; the pids are those of the supervisor's status file.
"""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from random import Random

import httpx
import pytest
from load import held_connections, is_whole, load, streamed
from rig import ROOT, Product, product, wait_until

from inferometer.accounts import Accounts, accounts
from telemetry.clock import monotonic_ns
from telemetry.testing.client import talk
from telemetry.testing.steps import AwaitEnd, Send
from telemetry.testing.wire import Ending, Transcript

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]
STEP_8_MS = ("--alpha-s", "0.008", "--hidden-s", "0.008")

SEED = 20
OBSERVER_KILLS, STORE_KILLS = 50, 50
TEE_KILLS = 4  # of one worker; its tap goes off with the sixth crash within 60 s
AWAY_S = float(os.environ.get("TEST_AWAY_S", "5"))  # 600 shows the ten minutes of the promise
CAUGHT_UP_S = 120.0
N_CLIENTS = 8
QUIET_READS = 15  # equal books in a row, 50 ms apart: a new observer first reads its channel and its spool


@pytest.fixture(scope="module")
def engine() -> Iterator[str]:
    command = [sys.executable, "-m", "loadtest.fleet.server", *STEP_8_MS, "--port", "0", "--seed", str(SEED)]
    with subprocess.Popen([*command, "--fault-ratio", "0"], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield f"http://{process.stdout.readline().strip()}"
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def up(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("INFEROMETER_TEE__WORKERS", "2")
        with product(engine, tmp_path_factory.mktemp("kill") / "data") as running:
            yield running


def pid_of(up: Product, role: str) -> int | None:
    pid: int | None = up.status()["children"][role]["pid"]
    return pid


def restarted(up: Product, role: str, old: int | None) -> int:
    """Wait until a part runs under another pid."""
    wait_until(lambda: pid_of(up, role) not in {None, old}, f"new {role}")
    pid = pid_of(up, role)
    assert pid is not None
    return pid


def books(up: Product) -> Accounts | None:
    """What the observer says of every record so far; None while it cannot."""
    try:
        page = httpx.get(f"http://127.0.0.1:{up.metrics_port}/metrics", timeout=5.0)
    except httpx.HTTPError:
        return None
    return accounts(page.text) if page.is_success else None


def drained(up: Product, floor: int = 0) -> Accounts:
    """Wait until nothing is under way, and compare the books with the store.

    Args:
        up: The product.
        floor: Records that were accepted for certain; a new observer knows fewer until it has read its spool.
    """

    reads: list[Accounts | None] = []

    def is_quiet() -> bool:
        found = books(up)
        reads.append(found)
        if found is None or reads[-QUIET_READS:] != [found] * QUIET_READS:
            return False
        return found.accepted >= floor and found.spooled == found.requests_open == 0

    wait_until(is_quiet, "empty spool", wait_s=CAUGHT_UP_S)
    found = books(up)
    assert found is not None
    [row] = up.rows(
        "SELECT count() AS n, uniqExact(record_id) AS n_ids, uniqExact(collector, seq) AS n_seqs FROM requests"
    )
    counts = {name: int(n) for name, n in row.items()}

    assert (0, 0, 0) == (found.residue, found.dropped, found.dlq), found.line()
    assert {"n": found.stored, "n_ids": found.stored, "n_seqs": found.stored} == counts
    return found


class Killer(threading.Thread):
    """Kills one part again and again at random moments, and keeps how many records had been accepted before."""

    def __init__(self, up: Product, role: str, n_kills: int, random: Random) -> None:
        super().__init__()
        self.accepted_seen = 0
        self.n_killed = 0
        self._up, self._role, self._n_kills, self._random = up, role, n_kills, random

    def run(self) -> None:
        pid = None
        for _ in range(self._n_kills):
            pid = restarted(self._up, self._role, pid)
            time.sleep(self._random.uniform(0.0, 0.7))  # noqa: TID251 the moment is the point
            found = books(self._up)
            self.accepted_seen = max(self.accepted_seen, found.accepted if found else 0)
            os.kill(pid, signal.SIGKILL)
            self.n_killed += 1


def test_deaths_of_observer_and_store_fail_no_request_and_lose_no_record(up: Product) -> None:
    random = Random(SEED)  # noqa: S311 chance of a test
    killers = [
        Killer(up, "observer", OBSERVER_KILLS, Random(random.random())),  # noqa: S311 as above
        Killer(up, "store", STORE_KILLS, Random(random.random())),  # noqa: S311 as above
    ]
    with load(up.address, n_clients=N_CLIENTS) as tally:
        for killer in killers:
            killer.start()
        for killer in killers:
            killer.join()
    floor = max(killer.accepted_seen for killer in killers)
    found = drained(up, floor)

    assert floor > 0
    assert OBSERVER_KILLS + STORE_KILLS == sum(killer.n_killed for killer in killers)
    assert [] == tally.endings
    assert found.stored <= tally.n_whole
    print(f"{tally.n_whole} requests; {found.line()}")


def test_a_request_after_all_that_is_recorded(up: Product) -> None:
    before = drained(up)
    seen = asyncio.run(talk(up.address, [Send(streamed(4)), AwaitEnd()]))
    wait_until(lambda: drained(up).stored == before.stored + 1, "fresh record")

    assert is_whole(seen)


def test_the_death_of_a_tee_breaks_only_its_own_streams(up: Product) -> None:
    async def in_flight(n_streams: int) -> tuple[list[Transcript], int]:
        """Kill a worker in the middle of long streams; return them and how many were the worker's."""
        async with asyncio.TaskGroup() as group:
            talks = [group.create_task(talk(up.address, [Send(streamed(150)), AwaitEnd()])) for _ in range(n_streams)]
            await asyncio.sleep(0.3)  # all are accepted, none is done: 150 tokens take more than a second
            pid = pid_of(up, "tee-0")
            assert pid is not None
            n_held = held_connections(pid, up.port)
            os.kill(pid, signal.SIGKILL)
            later = [group.create_task(talk(up.address, [Send(streamed(4)), AwaitEnd()])) for _ in range(n_streams)]
            await asyncio.to_thread(restarted, up, "tee-0", pid)
        assert all(is_whole(talk.result()) for talk in later)
        return [talk.result() for talk in talks], n_held

    n_broken = 0
    for _ in range(TEE_KILLS):
        seen, n_held = asyncio.run(in_flight(16))
        broken = [one for one in seen if not is_whole(one)]
        n_broken += len(broken)

        assert n_held == len(broken)
        assert Ending.REFUSED not in {one.ending for one in seen}
    assert n_broken > 0
    drained(up)


def test_nothing_is_lost_while_the_store_is_away(up: Product) -> None:
    before = drained(up)
    store = pid_of(up, "store")
    assert store is not None
    with load(up.address, n_clients=N_CLIENTS) as tally:
        os.kill(store, signal.SIGSTOP)
        try:
            time.sleep(AWAY_S)  # noqa: TID251 the length of the absence is the point
            away = books(up)
        finally:
            os.kill(store, signal.SIGCONT)
            back_ns = monotonic_ns()
    found = drained(up)
    waited_n = away.spooled if away else None
    print(f"away {AWAY_S:.0f} s: {waited_n} rows waited, caught up within {(monotonic_ns() - back_ns) / 1e9:.1f} s")

    assert [] == tally.endings
    assert away is not None
    assert away.spooled > 0
    assert tally.n_whole == found.stored - before.stored
