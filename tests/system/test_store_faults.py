"""Shows that no fault between spool and store loses a record or stores it twice.

A real writer (spool, shipper, client, in a process of its own) sends to the real embedded store through a proxy that
spoils answers, while both processes are killed with SIGKILL at random moments. Afterwards the books must agree with
the tables: count = uniqExact(collector, seq) = accepted, and every roll-up holds what the raw table holds.

Source: spec/store.md 10, 15 (case 9); spec/reliability.md 3 (G1, G3, G4), 5.3, 7 (a run that met no fault proves
nothing).
"""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from rig import wait_until

from telemetry.clock import sleep
from telemetry.store import Store
from telemetry.testing.fault_proxy import Fault, FaultProxy
from telemetry.testing.store_process import StoreProcess

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

ROOT = Path(__file__).parent.parent.parent
WRITER = [sys.executable, str(ROOT / "tests" / "fixtures" / "fault_writer.py")]
SEED = int(os.environ.get("TEST_SEED", "20"))
FAULTS = int(os.environ.get("TEST_FAULTS", "350"))
"""Three decks of kinds, and the deaths beside them; 1,000 and more show the same for longer."""
FAULT_RATIO = 0.8
DECK = {
    Fault.RESET_BEFORE: 10,
    Fault.RESET_AFTER: 25,
    Fault.RESET_SENT: 25,
    Fault.HANG_BEFORE: 1,
    Fault.HANG_AFTER: 2,
    Fault.ERROR_BEFORE: 8,
    Fault.ERROR_AFTER: 9,
    Fault.TOO_MANY_PARTS: 10,
    Fault.CUT: 10,
}
"""Kinds are dealt like shuffled cards, so 100 faults have each as often as this says, and a rare one is met for sure.

A hang costs the client's whole time-out, so there are few.
"""
STORE_KILL_RATIO = 0.3
LIFE_S = (0.1, 1.5)
"""From one kill to the next."""
UNHEARD_RATIO = 0.2
"""Writers that may be killed before they were heard: while they start, and read their spool."""
ENDLESS = 10**9


class Run:
    """One writer's directory, one store, and the proxy between them."""

    def __init__(self, directory: Path) -> None:
        self.random = Random(SEED)  # noqa: S311  # seeded on purpose
        self.data, self.directory = directory / "data", directory
        self.store = StoreProcess(self.data)
        self.proxy = FaultProxy(("127.0.0.1", self.store.port), self._fault)
        self.calm = False
        self.killed: Counter[str] = Counter()
        self.deck: list[Fault] = []
        self.started_n = self.asked_n = 0

    def _fault(self, request: bytes) -> Fault:
        self.asked_n += b"arrayExists" in request  # queries.STORED_COUNT
        if self.calm or self.random.random() > FAULT_RATIO:
            return Fault.NONE
        if not self.deck:
            self.deck = self.random.sample(list(DECK), sum(DECK.values()), counts=DECK.values())
        return self.deck.pop()

    def writer(self, count: int) -> subprocess.Popen[str]:
        self.started_n += 1
        secret = self.data / "secrets" / "store_writer"
        argv = [self.directory, self.proxy.url, secret, self.started_n * ENDLESS, count]
        return subprocess.Popen([*WRITER, *map(str, argv)], stdout=subprocess.PIPE, text=True, cwd=ROOT)

    def kill_store(self) -> None:
        self.killed["store"] += 1
        self.store.end(signal.SIGKILL)
        self.store = StoreProcess(self.data, port=self.store.port)

    @property
    def faults_n(self) -> int:
        return sum(n for fault, n in self.proxy.met.items() if fault is not Fault.NONE) + sum(self.killed.values())

    def suffer(self, faults_n: int) -> None:
        """Let writers and stores live and die until so many faults have happened."""
        while self.faults_n < faults_n:
            with self.writer(ENDLESS) as writer:
                try:
                    self._live(writer, faults_n)
                finally:
                    writer.kill()  # it would go on for ever, and whoever began it wait for it
                self.killed["writer"] += 1

    def _live(self, writer: subprocess.Popen[str], faults_n: int) -> None:
        """Let a writer live, mostly from its first request on, for a busy machine starts it slowly; stores may die."""
        if self.random.random() > UNHEARD_RATIO:
            heard_n = self.proxy.met.total()
            wait_until(lambda: self.proxy.met.total() > heard_n or writer.poll() is not None, "request of a writer")
        while self.faults_n < faults_n:
            sleep(self.random.uniform(*LIFE_S))
            if self.random.random() > STORE_KILL_RATIO:
                break
            self.kill_store()
        assert writer.poll() is None, "the writer ended by itself"

    def drain(self) -> dict[str, Any]:
        """Let a last writer append a little and ship everything, without faults."""
        self.calm = True
        with self.writer(50) as writer:
            said: dict[str, Any] = json.loads(writer.communicate()[0])
        return said


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    made = Run(tmp_path_factory.mktemp("faults"))
    try:
        with made.proxy:
            yield made
    finally:
        made.store.end()


@pytest.fixture(scope="module")
def said(run: Run) -> dict[str, Any]:
    run.suffer(FAULTS)
    found = run.drain()
    met = {str(fault): n for fault, n in sorted(run.proxy.met.items())}
    print(f"seed {SEED}: {run.faults_n} faults {met}, killed {dict(run.killed)}, asked {run.asked_n}; {found}")
    return found


def row(reader: Store, sql: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(reader.raw(sql, output="JSONEachRow"))
    return {name: int(value) for name, value in parsed.items()}


RAW = """\
SELECT
    count() AS n,
    uniqExact(collector, seq) AS n_seq,
    uniqExact(record_id) AS n_record_id
FROM requests"""

IN_RAW = """\
SELECT
    count() AS n,
    countIf(eligible = 'good') AS good,
    sum(tokens_out) AS tokens_out,
    sum(ttft_us) AS ttft_us_sum,
    count(ttft_us) AS ttft_h,
    sum(arraySum(tok_by_s)) AS tokens_by_event
FROM requests"""
IN_ROLLUP = """\
SELECT
    sum(r.n) AS n,
    sum(r.good) AS good,
    sum(r.tokens_out) AS tokens_out,
    sum(r.ttft_us_sum) AS ttft_us_sum,
    arraySum(mapValues(sumMap(r.ttft_h))) AS ttft_h,
    sum(r.tokens_by_event) AS tokens_by_event
FROM ROLLUP AS r"""


def test_after_all_faults_every_record_is_stored_once(run: Run, said: dict[str, Any]) -> None:
    reader, books = run.store.store("reader"), said["books"]
    accepted = books["accepted"]

    assert {"holds": True, "left": 0, "spooled": 0, "dlq": 0, "dropped": {}} == {
        name: books[name] for name in ("holds", "left", "spooled", "dlq", "dropped")
    }
    assert {"n": accepted, "n_seq": accepted, "n_record_id": accepted} == row(reader, RAW)
    assert accepted == books["stored"]
    claimed = set((run.directory / "claimed").read_text().split())
    stored = set(reader.raw("SELECT toUInt128(record_id) FROM requests", output="TSV").decode().split())
    assert claimed - stored == set()
    reader.close()


@pytest.mark.usefixtures("said")
@pytest.mark.parametrize("rollup", ["r_1s", "r_1m", "r_1h"])
def test_after_all_faults_every_rollup_holds_what_the_rows_hold(run: Run, rollup: str) -> None:
    reader = run.store.store("reader")

    assert row(reader, IN_RAW) == row(reader, IN_ROLLUP.replace("ROLLUP", rollup))
    reader.close()


@pytest.mark.usefixtures("said")
def test_every_fault_was_met(run: Run) -> None:
    assert run.faults_n >= FAULTS
    assert set(DECK) <= set(run.proxy.met)
    assert {"store", "writer"} == set(run.killed)
    assert run.asked_n > 0
