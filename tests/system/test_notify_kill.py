"""A notifier that is killed, at any moment: all is heard, no kill costs more than a repeat, each step is kept once."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from threading import Event
from uuid import uuid4

import pytest
from notices import FIRING
from receiver import OK, Answer, Got, Receiver, receiver
from rig import ROOT, wait_until

from slo.ledger import Ledger, Step
from slo.notice_log import NoticeLog
from telemetry.clock import sleep
from telemetry.queries import Question
from telemetry.testing.store_process import StoreProcess

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

NOTICES_N = 240
NOTICES = [replace(FIRING, fingerprint=at) for at in range(NOTICES_N)]
KILLS_N = 24
"""As many are to be expected, however fast the machine is."""
HEARD_N_MAX = 2 * NOTICES_N // KILLS_N
"""Notices before a kill, at most; a few more are heard while it comes."""
SPARE_N = 4
KILLS_N_MIN = NOTICES_N // (HEARD_N_MAX + SPARE_N)
"""Fewer kills than this prove little."""
STEPS = "SELECT idempotency_key AS key, attempt, state FROM notification_log"


@contextmanager
def child(*argv: str) -> Generator["subprocess.Popen[bytes]"]:
    """A notifier that has started; what is left of it at the end is killed."""
    command = [sys.executable, str(ROOT / "tests/slo/notify_child.py"), *argv]
    env = {"PYTHONPATH": f"{ROOT}:{ROOT}/tests/slo"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, cwd=ROOT) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def slow(_: Got) -> Answer:
    sleep(0.003)
    return OK


def held(heard: Receiver, heard_n: int, killed: Event) -> Callable[[Got], Answer]:
    """Answer so many, and the next one only once the notifier was killed, however late that is."""

    def answer(got: Got) -> Answer:
        if len(heard.got) > heard_n:
            killed.wait(60)
        return slow(got)

    return answer


def killed_until_all_is_heard(heard: Receiver, ledger: Ledger, *argv: str) -> int:
    """Start a notifier and kill it, again and again; returns how many times."""
    random, kills = Random(5), 0  # noqa: S311 -- moments of a test
    while ledger.waiting_n("c"):
        enough, killed = len(heard.got) + random.randint(1, HEARD_N_MAX), Event()
        heard.answer = held(heard, enough + SPARE_N - 1, killed)
        with child(*argv):
            while len(heard.got) < enough and ledger.waiting_n("c"):
                sleep(0.001)
            sleep(random.uniform(0, 0.01))
        killed.set()
        kills += 1
    return kills


def test_every_notice_is_heard_and_no_kill_costs_more_than_one_repeat(tmp_path: Path) -> None:
    """The steps are copied to a store meanwhile: each of them is there once, whatever was killed when."""
    path = tmp_path / "slo.sqlite"
    with (
        closing(Ledger(path)) as ledger,
        receiver(slow) as heard,
        StoreProcess(tmp_path / "data") as store,
        closing(store.store("writer")) as writer,
        closing(store.store("reader")) as reader,
    ):
        ledger.save(60, [], {"c": NOTICES})
        copies = (f"store={store.url}", f"secret={store.secret('writer')}")
        kills = killed_until_all_is_heard(heard, ledger, str(path), "webhook", heard.url, *copies)
        late_n = NoticeLog(ledger, writer, "killed", lambda: uuid4().hex).copy()
        tries = {item.notice.key: item.attempts for item in ledger.log() if item.state is Step.SENT}
        steps = reader.query(Question(sql=STEPS, parameters={}))
    counts = Counter(heard.keys)
    print(f"{NOTICES_N} notices, {kills} kills, {counts.total() - NOTICES_N} repeats")
    print(f"{len(steps)} steps in the store, {late_n} of them since the last kill")

    assert kills >= KILLS_N_MIN
    assert len(counts) == len(tries) == NOTICES_N
    assert counts.total() <= NOTICES_N + kills
    assert Counter((row["key"], row["attempt"], row["state"]) for row in steps) == Counter(
        [(key, n, "intent") for key, attempts in tries.items() for n in range(1, attempts + 1)]
        + [(key, attempts, "sent") for key, attempts in tries.items()]
    )


def deadly(heard: Receiver, victim: "subprocess.Popen[bytes]") -> Callable[[Got], Answer]:
    """Kill whoever told a third, while it waits for the answer."""

    def answer(got: Got) -> Answer:
        if len(heard.got) >= NOTICES_N // 3:
            victim.kill()
        return slow(got)

    return answer


def test_the_holder_of_a_lease_dies_and_the_other_tells_the_rest(tmp_path: Path) -> None:
    """Two replicas queue the same; the first is killed in the middle. A lease holds for ten seconds here."""
    paths = [tmp_path / f"{name}.sqlite" for name in ("one", "other")]
    ledgers = [Ledger(path) for path in paths]
    for ledger in ledgers:
        ledger.save(60, [], {"c": NOTICES})
    with receiver(slow) as heard:
        rest = ("webhook", f"lease={tmp_path / 'lease.sqlite'}", heard.url)
        with child(str(paths[0]), *rest) as holder:
            heard.answer = deadly(heard, holder)
            wait_until(lambda: bool(heard.got), "a notice of the first", wait_s=30)
            with child(str(paths[1]), *rest):
                wait_until(lambda: ledgers[1].waiting_n("c") == 0, "the rest", wait_s=90)
            ended = holder.wait(30)
    counts = Counter(heard.keys)
    for ledger in ledgers:
        ledger.close()
    print(f"{counts.total() - NOTICES_N} repeats")

    assert ended == -signal.SIGKILL
    assert set(counts) == {notice.key for notice in NOTICES}
    assert counts.total() <= NOTICES_N + 1
