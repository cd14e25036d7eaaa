"""A store of the first version is upgraded though it is killed meanwhile; a running store takes out what is doubled."""

import signal
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from chdb_child import Chdb
from rebuild_rows import fill, first_version, make, rollups

from inferometer import migrate
from telemetry.clock import sleep, wall_ms
from telemetry.record import RequestBatch
from telemetry.testing.memory_store import sample_request
from telemetry.testing.store_process import StoreProcess

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

ROWS, EVERY_S, KILLS = 100_000, 10, 6


def upgrade(data: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "inferometer.store_server", "--data", str(data), "--port", "0"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def killed(data: Path, random: Random, *, while_swapping: bool) -> str:
    """Start the upgrade and kill it some time later; returns what it said."""
    process = upgrade(data)
    told = process.stderr.readline() if while_swapping and process.stderr else ""  # all rows are read, the swaps begin
    sleep(random.uniform(0.0, 1.0) if while_swapping else random.uniform(1.0, 8.0))
    process.send_signal(signal.SIGKILL)
    return told + process.communicate()[1]


def verb(data: Path, *words: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "inferometer", "store", *words, "--data", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


def test_an_upgrade_that_is_killed_again_and_again_ends_with_the_roll_ups_of_the_rows(tmp_path: Path) -> None:
    with closing(Chdb(tmp_path / "reference")) as reference:
        make(reference)
        fill(reference, ROWS, EVERY_S)
        expected = rollups(reference)
    data = tmp_path / "data"
    data.mkdir()
    with closing(Chdb(data / "store")) as old:
        first_version(old)
        fill(old, ROWS, EVERY_S)
    random = Random(11)  # noqa: S311 -- seeded
    ends: Counter[str] = Counter()
    for at in range(KILLS):
        told = killed(data, random, while_swapping=at % 2 == 1)
        ends["through" if "answers at" in told else "swapping" if "requests read" in told else "before"] += 1
    with StoreProcess(data) as running:
        code, out, err = verb(data, "check", "--since", "13d")
        assert (0, "") == (code, out), err
        assert running.end() == 0
    with closing(Chdb(data / "store")) as after:
        assert expected == rollups(after)
        assert "0" == after.execute("SELECT count() FROM system.databases WHERE name = 'inferometer_rebuild'").strip()
        migrate.verify(after.execute)
    print(f"{ROWS} rows; where the starts were killed: {dict(ends)}")


def test_what_a_running_store_has_twice_is_found_and_taken_out(tmp_path: Path) -> None:
    at_ms = wall_ms() - 3_600_000
    records = tuple(sample_request(at, at_ms + at * 1000) for at in range(600))
    with StoreProcess(tmp_path / "data") as process:
        store = process.store("writer")
        for token, first, last in (("a", 0, 600), ("b", 100, 150)):
            batch = RequestBatch(
                collector="n/twice", seqs=tuple(range(first + 1, last + 1)), records=records[first:last]
            )
            store.insert_requests(batch, token)
        store.close()
        code, out, err = verb(process.data, "check")
        assert (3, "n/twice: 50 of 650 rows are there more than once\n") == (code, out), err
        code, out, err = verb(process.data, "repair", "--since", "2h")
        assert (0, "50 copies taken out, roll-ups made again of 600 requests\n") == (code, out), err
        assert (0, "") == verb(process.data, "check")[:2]
        reader = process.store("reader")
        counts = "SELECT (SELECT count() FROM requests), (SELECT sum(n) FROM r_1s), (SELECT sum(n) FROM r_1h)"
        assert b"600\t600\t600\n" == reader.raw(counts, output="TabSeparated")
        reader.close()
