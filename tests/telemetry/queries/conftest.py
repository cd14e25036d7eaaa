"""One embedded store for the tests of the queries."""

from collections.abc import Iterator
from random import Random

import pytest
from query_store import N_ROWS, Stored, record

from telemetry.testing.store_process import StoreProcess


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    random = Random(7)  # noqa: S311 -- seeded
    records = tuple(record(at, random) for at in range(N_ROWS))
    with StoreProcess(tmp_path_factory.mktemp("queries") / "data") as process:
        reader, writer = process.store("reader"), process.store("writer")
        found = Stored(records=records, reader=reader, writer=writer, process=process)
        found.insert("n/queries", records)
        yield found
        reader.close()
        writer.close()
