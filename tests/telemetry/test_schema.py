import importlib
import pkgutil
import re
from functools import cache
from pathlib import Path

from telemetry import schema
from telemetry.record import RequestRecord
from telemetry.samples import SAMPLES
from telemetry.schema.parts import NOBODY

ROOT = Path(__file__).parents[2]
ROOMS = ("telemetry", "collector", "probes", "slo", "loadtest", "inferometer")


def test_the_fields_of_a_record_are_the_insert_columns_less_what_the_spool_adds() -> None:
    inserted = [column.name for column in schema.REQUESTS.insert_columns if column.name not in {"collector", "seq"}]

    assert inserted == list(RequestRecord.__struct_fields__)


def test_every_table_and_column_says_what_it_means_and_names_are_unique() -> None:
    tables = (*schema.TABLES, schema.CONTENT_SAMPLES)
    names = [one.name for one in (*tables, *schema.VIEWS)]

    assert len(set(names)) == len(names)
    assert [table.name for table in tables if not table.meaning] == []
    for table in tables:
        columns = [column.name for column in table.columns]

        assert len(set(columns)) == len(columns)
        assert [column.name for column in table.columns if not column.meaning] == []


def test_a_duration_has_its_unit_in_the_last_words_of_its_name() -> None:
    kinds = ("_us", "_us_sum", "_us_total", "_us_total_min", "_us_total_max", "_us_max", "_worst")
    odd = [
        f"{table.name}.{column.name}"
        for table in schema.TABLES
        for column in table.columns
        if column.unit == "us" and not column.name.endswith(kinds)
    ]

    assert odd == ["requests.started_at", "request_details.gaps"]  # a time, and a tuple of two durations


def test_every_table_has_a_room_that_writes_it() -> None:
    rooms = {"telemetry", "collector", "probes", "slo", "loadtest", "inferometer", "view", NOBODY}

    assert {table.writer for table in schema.TABLES} <= rooms
    assert {table.name for table in schema.TABLES if table.writer == "view"} == {
        view.target for view in schema.VIEWS
    } - {""}


def test_what_views_read_and_write_are_tables_of_ours() -> None:
    names = {table.name for table in schema.TABLES}

    assert [view.name for view in schema.VIEWS if view.source not in names or view.target not in names | {""}] == []


def test_sort_keys_and_times_are_columns_that_cannot_be_null() -> None:
    for table in (*schema.TABLES, schema.CONTENT_SAMPLES):
        kinds = {column.name: column.type for column in table.columns}
        keys = [key.split("(")[-1].strip("() ") for key in table.order_by.split(",")]

        assert [key for key in (*keys, table.time, *table.shard_by) if key and "Nullable" in kinds[key]] == []


def test_the_tables_of_content_are_not_made_by_default() -> None:
    assert schema.CONTENT_SAMPLES not in schema.TABLES
    assert [text for text in schema.statements() if "content_samples" in text] == []


def test_statements_make_every_source_before_its_view() -> None:
    made = schema.statements()

    assert made[0] == schema.CREATE_DATABASE
    assert len(made) == 1 + len(schema.TABLES) + len(schema.VIEWS)
    for view in schema.VIEWS:
        at = made.index(schema.view_ddl(view))
        names = [name for name in (view.source, view.target) if name]
        assert all(f"TABLE IF NOT EXISTS inferometer.{name}\n" in "".join(made[:at]) for name in names)


@cache
def code() -> str:
    """The code of the rooms, without the modules that say what a row is and those that are for tests."""
    described = {"samples.py", "load_records.py", "record.py"}
    paths = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    return "\n".join(one.read_text() for one in paths if one.name not in described and "testing" not in one.parts)


def written_by_name() -> set[str]:
    """Tables whose rows are inserted as such: `insert_rows(TABLE, ..)`, here or behind a method that hands it on."""
    parts = [importlib.import_module(f"telemetry.schema.{one.name}") for one in pkgutil.iter_modules(schema.__path__)]
    of = {name: value.name for part in parts for name, value in vars(part).items() if isinstance(value, schema.Table)}
    return {of[name] for name in re.findall(r"\.(?:insert_rows|_put)\((\w+),", code()) if name in of}


def written_by_the_spool() -> set[str]:
    """Tables whose rows somebody makes and the spool carries."""
    shapes = {shape.__name__: kind.table.name for shape, kind in SAMPLES.items()} | {"RequestRecord": "requests"}
    made = set(re.findall(rf"(?<!class )\b({'|'.join(shapes)})\(", code()))
    return {table for name, table in shapes.items() if name in made}


def test_every_table_is_written_by_somebody_or_says_that_it_is_not() -> None:
    """Looks at code, not at rows: that a writer is called, and what it writes, its own tests show over a real store."""
    by_views = {view.target for view in schema.VIEWS} - {""}
    by_migrations = {schema.SCHEMA_MIGRATIONS.name}
    written = written_by_name() | written_by_the_spool() | by_views | by_migrations
    tables = (*schema.TABLES, schema.CONTENT_SAMPLES)

    assert {table.name for table in tables if table.writer != NOBODY} == written
