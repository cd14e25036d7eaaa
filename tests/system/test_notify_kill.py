"""A notifier that is killed again and again, at any moment: all is heard, and no kill costs more than one repeat."""

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from notices import FIRING
from receiver import OK, Answer, Got, receiver
from rig import ROOT

from slo.ledger import Ledger, Step
from telemetry.clock import sleep

pytestmark = [pytest.mark.system, pytest.mark.timeout(90)]

NOTICES_N = 240
KILLS_N_MIN = 10
"""Fewer kills than this prove little."""


def test_every_notice_is_heard_and_no_kill_costs_more_than_one_repeat(tmp_path: Path) -> None:
    random = Random(5)  # noqa: S311 -- moments of a test
    ledger = Ledger(tmp_path / "slo.sqlite")
    ledger.save(60, [], {"c": [replace(FIRING, fingerprint=at) for at in range(NOTICES_N)]})
    kills = 0

    def slow(_: Got) -> Answer:
        sleep(0.003)
        return OK

    with receiver(slow) as heard:
        argv = [
            sys.executable,
            str(ROOT / "tests/slo/notify_child.py"),
            str(tmp_path / "slo.sqlite"),
            "webhook",
            heard.url,
        ]
        env = {"PYTHONPATH": f"{ROOT}:{ROOT}/tests/slo"}
        while ledger.waiting_n("c"):
            with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, cwd=ROOT) as child:
                assert child.stdout is not None
                child.stdout.readline()
                sleep(random.uniform(0.01, 0.08))
                child.kill()
            kills += 1
    counts = Counter(heard.keys)
    states = Counter(item.state for item in ledger.log())
    ledger.close()
    print(f"{NOTICES_N} notices, {kills} kills, {counts.total() - NOTICES_N} repeats")

    assert kills >= KILLS_N_MIN
    assert len(counts) == NOTICES_N
    assert states == {Step.SENT: NOTICES_N}
    assert counts.total() <= NOTICES_N + kills
