"""The store's own check, on a real store that is asked over the wire."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future

import httpx
import pytest

from inferometer import store_belt
from inferometer.store_belt import NAMES_MAX, Belt
from inferometer.store_engine import EngineError, Result
from inferometer.store_pool import BusyError, Work
from telemetry.clock import wall_ms
from telemetry.record import RequestBatch
from telemetry.testing.memory_store import sample_request
from telemetry.testing.store_process import StoreProcess


def work(body: bytes | Exception) -> Work[Result]:
    future = Future[Result]()
    if isinstance(body, Exception):
        future.set_exception(body)
    else:
        future.set_result(Result(body=body, output="JSONEachRow", rows=0, size=0))
    return Work(future, lambda: None)


def busy(_sql: str, _output: str, _parameters: Mapping[str, str], _database: str) -> Work[Result]:
    raise BusyError


def failing(_sql: str, _output: str, _parameters: Mapping[str, str], _database: str) -> Work[Result]:
    return work(EngineError("Code: 159."))


def reading(process: StoreProcess) -> store_belt.Read:
    def read(sql: str, output: str, parameters: Mapping[str, str], database: str) -> Work[Result]:
        options = {**{f"param_{name}": value for name, value in parameters.items()}, "database": database}
        answer = httpx.post(
            process.url,
            content=sql,
            params={**options, "default_format": output},
            auth=("reader", process.secret("reader")),
        )
        return work(answer.raise_for_status().content)

    return read


def test_a_check_counts_what_is_there_twice(process: StoreProcess) -> None:
    belt = Belt(reading(process))
    assert "inferometer_store_duplicates" not in belt.page()
    belt.check()
    assert belt.found is not None
    before = belt.found.duplicates
    records = (sample_request(1, wall_ms() - 120_000),) * 3
    writer = process.store("writer")
    writer.insert_requests(RequestBatch(collector="n/belt", seqs=(4, 4, 4), records=records), "belt")
    writer.close()
    belt.check()

    assert f"\ninferometer_store_duplicates {before + 2}\n" in belt.page()
    assert f"\ninferometer_store_checked_timestamp_seconds {belt.checked_unix_ms / 1000}\n" in belt.page()
    assert 0 == belt.failed


@pytest.mark.parametrize("read", [busy, failing], ids=["busy", "failing"])
def test_a_check_that_cannot_be_made_is_counted(read: store_belt.Read) -> None:
    belt = Belt(read)
    belt.check()

    assert belt.found is None
    assert (
        "# TYPE inferometer_store_checks_failed_total counter\ninferometer_store_checks_failed_total 1\n" in belt.page()
    )


async def test_it_checks_again_and_again() -> None:
    belt = Belt(failing)
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(belt.watch(0.0, 0.0))
        while belt.failed < 3:  # noqa: ASYNC110 -- the loop under test has no event
            await asyncio.sleep(0)
        watching.cancel()


def test_settings_are_counted_by_name_up_to_a_bound() -> None:
    belt = Belt(failing)
    for at in range(NAMES_MAX + 1):
        belt.ignore({f"s{at:03}"})
    belt.ignore({"s000", 'x"\n', "X" * 65})

    assert 2 == belt.ignored["s000"]
    assert 3 == belt.ignored["other"]
    assert NAMES_MAX + 1 == len(belt.ignored)
    assert '\ninferometer_store_settings_ignored_total{name="s001"} 1\n' in belt.page()
