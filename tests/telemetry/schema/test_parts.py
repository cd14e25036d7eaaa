import pytest

from telemetry.schema import parts


def table(kept_days: int | None, time: parts.Column) -> parts.Table:
    return parts.Table(
        name="t",
        writer="nobody",
        meaning="a row",
        columns=(time,),
        order_by=time.name,
        time=time.name,
        kept_days=kept_days,
    )


@pytest.mark.parametrize(
    ("kept_days", "partition_by"),
    [
        (1, "toDate(at)"),
        (31, "toDate(at)"),
        (32, "toMonday(at)"),
        (400, "toMonday(at)"),
        (401, "toYYYYMM(at)"),
        (None, ""),
    ],
)
def test_the_unit_of_a_partition_follows_the_retention(kept_days: int | None, partition_by: str) -> None:
    assert partition_by == table(kept_days, parts.stamp("at", "a time")).partition_by


def test_a_row_expires_by_its_time() -> None:
    seconds = parts.Column(name="t", type="DateTime('UTC')", meaning="a time")

    assert "toDateTime(at) + INTERVAL 3 DAY" == table(3, parts.stamp("at", "a time")).ttl
    assert "t + INTERVAL 3 DAY" == table(3, seconds).ttl
    assert "" == table(None, seconds).ttl


def test_a_column_with_a_default_is_not_inserted() -> None:
    columns = (parts.stamp("at", "a time"), parts.stamp("stored", "a time", "DEFAULT now64(3)"))
    made = parts.Table(name="t", writer="nobody", meaning="a row", columns=columns, order_by="at")

    assert columns[:1] == made.insert_columns


def test_what_may_be_unknown_is_nullable_and_what_is_never_unknown_is_not() -> None:
    unknown = (parts.us, parts.tokens, parts.gauge, parts.counter, parts.real, parts.maybe_stamp)

    assert all(make("x", "a value").type.startswith("Nullable(") for make in unknown)
    assert "Nullable" not in "".join(
        make("x", "a value").type for make in (parts.label, parts.text, parts.total, parts.counts)
    )


def test_every_series_has_the_same_labels() -> None:
    names = ["endpoint", "model", "region", "workload_class", "variant", "traffic"]

    assert names == [column.name for column in parts.dims()]
    assert {"LowCardinality(String)"} == {column.type for column in parts.dims()}
