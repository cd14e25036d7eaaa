"""kill -9 of the process that appends and ships, at random moments: nothing lost, nothing twice, identity exact.

Source: spec/reliability.md 3 (G1, G3, G4), 7.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

CHILD = Path(__file__).parent.parent / "fixtures" / "spool_child.py"
CYCLES = 40


def start(directory: Path, first_n: int, count: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(CHILD), str(directory), str(first_n), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent.parent)


def drain(directory: Path) -> dict[str, Any]:
    child = start(directory, 0, 0)
    answer, _ = child.communicate(timeout=60)

    assert child.returncode == 0
    return json.loads(answer)


def crash(directory: Path, cycle: int, after_s: float) -> None:
    """Let a child work for a while, counted from its first claimed record, and kill it."""
    claimed = directory / "claimed"
    before = claimed.stat().st_size if claimed.exists() else 0
    child = start(directory, (cycle + 1) * 10_000_000, 5_000_000)
    while child.poll() is None and (not claimed.exists() or claimed.stat().st_size == before):
        os.sched_yield()
    try:
        child.wait(after_s)
    except subprocess.TimeoutExpired:
        os.kill(child.pid, signal.SIGKILL)
    child.communicate()


def stored(directory: Path) -> tuple[list[int], int]:
    """Return the numbers of the stored records and how many (collector, seq) are stored twice."""
    db = sqlite3.connect(directory / "store.sqlite")
    rows = db.execute("SELECT collector, seq, n FROM requests").fetchall()
    db.close()
    return [n for _, _, n in rows], len(rows) - len({(collector, seq) for collector, seq, _ in rows})


def owed(directory: Path) -> set[int]:
    return {int(line) for line in (directory / "claimed").read_text().split()}


@pytest.mark.system
def test_random_kills_lose_nothing_and_store_nothing_twice(tmp_path: Path) -> None:
    random = Random(20_260_101)  # noqa: S311  # seeded on purpose
    for cycle in range(CYCLES):
        crash(tmp_path, cycle, random.uniform(0.0, 0.15))

    answer = drain(tmp_path)
    numbers, twice = stored(tmp_path)

    assert owed(tmp_path) - set(numbers) == set()
    assert twice == 0
    assert len(numbers) == len(set(numbers))
    assert answer["left"] == 0
    assert answer["holds"]
    assert answer["counters"]["stored"] == answer["counters"]["accepted"] == len(numbers)
    assert answer["shipped"]["sends"] > 0
    assert "errors_unforeseen" not in answer["shipped"]
