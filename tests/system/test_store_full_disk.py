"""A store whose disk is full refuses inserts, answers everything else, and takes the same batch once there is room.

The disk is a tmpfs of its own, in a mount namespace that ends with the store: nothing is left behind, and no root is
needed.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import pytest

from telemetry.clock import wall_ms
from telemetry.errors import StoreError
from telemetry.outcome import Eligibility, Outcome, Phase
from telemetry.queries import Question
from telemetry.record import RequestBatch, RequestRecord
from telemetry.store import Store

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

DISK_MIB = 1_200  # a store starts only where 1 GiB is free
MEMORY_MIB = 3 * DISK_MIB
NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
MOUNTED = 'mount -t tmpfs -o size="$1"m tmpfs "$2" && shift 2 && exec "$@"'
COUNTS = Question(
    sql="SELECT (SELECT count() FROM requests), (SELECT sum(n) FROM r_1s), (SELECT sum(n) FROM r_1m),"
    " (SELECT sum(n) FROM r_1h)",
    seconds_max=5.0,
)


def usable() -> bool:
    tried = subprocess.run([*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/tmp"], capture_output=True, check=False)  # noqa: S108 - hidden for this process only
    available = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    return tried.returncode == 0 and available is not None and int(available[1]) >> 10 > MEMORY_MIB


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[str], str]]:
    """The store's disk as this process sees it, the store, and its address."""
    if not shutil.which("unshare") or not usable():
        pytest.skip(f"no mount namespace with {MEMORY_MIB} MiB of memory to spare")
    store = [sys.executable, "-m", "inferometer.store_server", "--data", str(tmp_path / "data"), "--port", "0"]
    mounted = [*NAMESPACE, "sh", "-c", MOUNTED, "sh", str(DISK_MIB), str(tmp_path), *store]
    with subprocess.Popen(mounted, stderr=subprocess.PIPE, text=True) as process:
        line = process.stderr.readline() if process.stderr else ""
        ready = re.search(r"answers at (http://\S+)", line)
        assert ready, line
        yield Path(f"/proc/{process.pid}/root{tmp_path}"), process, ready[1]
        process.terminate()
        assert 0 == process.wait(30)


def batch(first: int, n: int) -> RequestBatch:
    records = tuple(
        RequestRecord(
            ended_at=wall_ms(), elapsed_us=1 + at, endpoint="e", model="m", record_id=UUID(int=first + at * 7919**4),
            outcome=Outcome.OK, phase=Phase.DONE, eligible=Eligibility.GOOD, ttft_us=at, e2e_us=at,
        )
        for at in range(n)
    )  # fmt: skip
    return RequestBatch(collector="n/full", seqs=tuple(range(first, first + n)), records=records)


def fill(file: Path) -> None:
    """Leave no byte."""
    with file.open("wb", buffering=0) as ballast, suppress(OSError):
        os.posix_fallocate(ballast.fileno(), 0, shutil.disk_usage(file.parent).free)
        while True:
            ballast.seek(0, os.SEEK_END)
            ballast.write(bytes(4096))


def test_a_full_disk_stops_inserts_and_nothing_else(disk: tuple[Path, subprocess.Popen[str], str]) -> None:
    root, process, url = disk
    secrets = {user: (root / "data" / "secrets" / f"store_{user}").read_text().strip() for user in ("reader", "writer")}
    writer = Store(url, user="writer", password=secrets["writer"])
    reader = Store(url, user="reader", password=secrets["reader"])
    writer.insert_requests(batch(0, 1_000), "before")
    fill(root / "ballast")
    waiting = batch(1_000_000, 20_000)
    codes: set[int | None] = set()
    for _ in range(3):
        with pytest.raises(StoreError) as refused:
            writer.insert_requests(waiting, "full")
        codes.add(refused.value.code)
    while_full = list(reader.query(COUNTS)[0].values())
    (root / "ballast").unlink()
    for _ in range(2):
        writer.insert_requests(waiting, "full")
    after = list(reader.query(COUNTS)[0].values())
    writer.close()
    reader.close()

    print(f"codes {codes}; counts while full {while_full}, after {after}")
    assert None is process.poll()
    assert codes <= {243, 75}
    assert [1_000] * 4 == while_full
    assert [21_000] * 4 == after
