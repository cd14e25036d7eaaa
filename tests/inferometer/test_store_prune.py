"""Partitions of a real store that runs."""

import pytest
from store_rows import fill

from inferometer import store_orders, store_prune
from inferometer.config_schema import Config
from inferometer.data_directory import DataDirectory
from inferometer.errors import ConfigurationError, InferometerError
from inferometer.reading import Source, source
from telemetry.queries import Question
from telemetry.testing.store_process import StoreProcess

COUNT = Question(sql="SELECT count() AS n FROM requests", seconds_max=5.0)


@pytest.fixture
def where(process: StoreProcess) -> Source:
    return source(Config(data=str(process.data)))


def test_only_whole_partitions_that_are_old_enough_go(process: StoreProcess, where: Source) -> None:
    fill(process, 5)
    [before] = where.rows(COUNT)
    found = store_prune.old(where, 2, ["requests"])
    store_prune.drop(DataDirectory(root=process.data), found)
    [after] = where.rows(COUNT)

    assert {"requests"} == {one.table for one in found}
    assert len(found) >= 2
    assert int(str(before["n"])) - int(str(after["n"])) == sum(one.rows for one in found) >= 200
    assert all(one.disk_bytes > 0 for one in found)
    assert [] == store_prune.old(where, 3, ["requests"])


def test_a_partition_that_is_none_is_told_by_the_engine(process: StoreProcess) -> None:
    wrong = store_prune.Partition(
        table="requests", partition_id="x'", partition="x", newest="", rows=1, disk_bytes=1
    )  # fmt: skip

    with pytest.raises(InferometerError, match=r"^store: Code: 248\."):
        store_prune.drop(DataDirectory(root=process.data), [wrong] * (store_orders.PARTITIONS_MAX + 1))


@pytest.mark.parametrize(
    ("days", "tables", "line"),
    [
        (0, ["requests"], "--older-than: found 0; allowed: days from 1 to 36500"),
        (store_prune.DAYS_MAX + 1, ["requests"], "--older-than: found 36501; allowed"),
        (1, ["requests", "x"], "--table: found 'x'; allowed: "),
    ],
)
def test_what_may_not_be_asked_is_named(where: Source, days: int, tables: list[str], line: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{line}"):
        store_prune.old(where, days, tables)
