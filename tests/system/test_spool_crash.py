"""Faults injected into the system calls of a spool's process, one at a time: nothing that was owed is lost.

strace kills the process at the Nth call, or lets that call fail. Afterwards a healthy process drains the directory.
Every run must have met its fault, else it proves nothing.

Source: spec/reliability.md 3 (G1), 5.2, 6 (SI).
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
CHILD = [sys.executable, str(ROOT / "tests" / "fixtures" / "spool_child.py")]
RECORDS = 120
SYSCALLS = {
    "write": (3, 8, 24),
    "fdatasync": (1, 2, 4),
    "fsync": (1, 3, 5),
    "rename": (1, 2),
    "unlink": (1,),
}
ACTIONS = ("signal=KILL", "error=EIO", "error=ENOSPC")
CASES = [(call, n, action) for (call, points), action in product(SYSCALLS.items(), ACTIONS) for n in points]

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]


def traced(directory: Path, call: str, n: int, action: str) -> str:
    """Run a child under a fault and return the calls that met it."""
    log = directory / "strace.log"
    inject = ["-e", f"trace={call}", "-e", f"inject={call}:{action}:when={n}"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = ["strace", "-f", "-qq", "-o", str(log), *inject, *CHILD, str(directory), "1000000", str(RECORDS)]
    subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=120, check=False)
    return "\n".join(line for line in log.read_text().splitlines() if "INJECTED" in line or "KILL" in line)


def drained(directory: Path) -> dict[str, Any]:
    answer = subprocess.run(
        [*CHILD, str(directory), "0", "0"], cwd=ROOT, capture_output=True, timeout=120, check=True
    ).stdout
    return json.loads(answer)


@pytest.mark.parametrize(("call", "n", "action"), CASES)
def test_a_fault_at_one_system_call_loses_nothing(tmp_path: Path, call: str, n: int, action: str) -> None:
    met = traced(tmp_path, call, n, action)

    answer = drained(tmp_path)
    owed = {int(line) for line in (tmp_path / "claimed").read_text().split()}
    db = sqlite3.connect(tmp_path / "store.sqlite")
    db.execute("CREATE TABLE IF NOT EXISTS requests (collector TEXT, seq INTEGER, n INTEGER)")
    rows = db.execute("SELECT collector, seq, n FROM requests").fetchall()
    db.close()

    assert met
    assert owed - {number for _, _, number in rows} == set()
    assert len({(collector, seq) for collector, seq, _ in rows}) == len(rows)
    assert answer["left"] == 0
    assert answer["holds"]
    assert answer["counters"]["dropped"] == {}
