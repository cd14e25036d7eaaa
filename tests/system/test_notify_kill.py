"""A notifier that is killed, at any moment: all is heard, and no kill costs more than one repeat."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from threading import Event

import pytest
from notices import FIRING
from receiver import OK, Answer, Got, Receiver, receiver
from rig import ROOT, wait_until

from slo.ledger import Ledger, Step
from telemetry.clock import sleep

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


def test_every_notice_is_heard_and_no_kill_costs_more_than_one_repeat(tmp_path: Path) -> None:
    random = Random(5)  # noqa: S311 -- moments of a test
    path, kills = tmp_path / "slo.sqlite", 0
    ledger = Ledger(path)
    ledger.save(60, [], {"c": NOTICES})
    with receiver(slow) as heard:
        while ledger.waiting_n("c"):
            enough, killed = len(heard.got) + random.randint(1, HEARD_N_MAX), Event()
            heard.answer = held(heard, enough + SPARE_N - 1, killed)
            with child(str(path), "webhook", heard.url):
                while len(heard.got) < enough and ledger.waiting_n("c"):
                    sleep(0.001)
                sleep(random.uniform(0, 0.01))
            killed.set()
            kills += 1
    counts = Counter(heard.keys)
    states = Counter(item.state for item in ledger.log())
    ledger.close()
    print(f"{NOTICES_N} notices, {kills} kills, {counts.total() - NOTICES_N} repeats")

    assert kills >= KILLS_N_MIN
    assert len(counts) == NOTICES_N
    assert states == {Step.SENT: NOTICES_N}
    assert counts.total() <= NOTICES_N + kills


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
