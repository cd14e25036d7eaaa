"""A copy that is made while rows keep coming holds as many in every roll-up as in the raw table."""

import threading
from itertools import count
from pathlib import Path
from uuid import UUID

import pytest

from inferometer import store_backup
from inferometer.data_directory import DataDirectory
from telemetry.clock import wall_ms
from telemetry.outcome import Eligibility, Outcome, Phase
from telemetry.queries import Question
from telemetry.record import RequestBatch, RequestRecord
from telemetry.testing.store_process import StoreProcess

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

COPIES = 5
WRITERS = 3
COUNTS = Question(
    sql="SELECT (SELECT count() FROM requests), (SELECT sum(n) FROM r_1s), (SELECT sum(n) FROM r_1m),"
    " (SELECT sum(n) FROM r_1h)",
    seconds_max=5.0,
)


def write(process: StoreProcess, collector: str, enough: threading.Event) -> None:
    store = process.store("writer")
    for number in count():
        if enough.is_set():
            break
        record = RequestRecord(
            ended_at=wall_ms(), elapsed_us=1, endpoint=collector, model="m", record_id=UUID(int=number),
            outcome=Outcome.OK, phase=Phase.DONE, eligible=Eligibility.GOOD,
        )  # fmt: skip
        batch = RequestBatch(
            collector=collector, seqs=tuple(range(10 * number, 10 * number + 10)), records=(record,) * 10
        )
        store.insert_requests(batch, f"{collector}-{number}")
    store.close()


def test_every_copy_of_a_busy_store_agrees_with_itself(tmp_path: Path) -> None:
    enough = threading.Event()
    with StoreProcess(tmp_path / "data") as process:
        writers = [threading.Thread(target=write, args=(process, f"n/{at}", enough)) for at in range(WRITERS)]
        for writer in writers:
            writer.start()
        try:
            data = DataDirectory(root=process.data)
            made = [store_backup.backup(data, tmp_path / f"{at}.tar") for at in range(COPIES)]
        finally:
            enough.set()
            for writer in writers:
                writer.join()
    for at, (file, n_requests) in enumerate(made):
        copy = DataDirectory(root=tmp_path / f"copy-{at}")
        store_backup.restore(copy, file)
        with StoreProcess(copy.root) as restored:
            reader = restored.store("reader")
            [counts] = reader.query(COUNTS)
            reader.close()

        print(f"copy {at}: {counts}")
        assert {n_requests} == set(counts.values())
    assert made[0][1] < made[-1][1]
