"""Migrations and the check of the schema, on the real engine."""

import json
from collections.abc import Iterator, Mapping
from itertools import chain

import pytest
from chdb_child import Chdb, ChdbError

from inferometer import migrate, retention
from telemetry import schema

CLUSTER = schema.Variant(cluster="main")
R_1M_FROM_R_1S = next(view for view in schema.VIEWS if view.name == "r_1m_from_r_1s")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chdb]:
    running = Chdb(tmp_path_factory.mktemp("migrate") / "store")
    yield running
    running.close()


@pytest.fixture
def empty(engine: Chdb) -> Iterator[Chdb]:
    engine.execute("DROP DATABASE IF EXISTS inferometer SYNC")
    yield engine
    engine.execute("DROP DATABASE IF EXISTS inferometer SYNC")


@pytest.fixture
def made(engine: Chdb) -> Chdb:
    migrate.apply(engine.execute, by="test")  # does nothing after the first time; whoever changes it undoes that
    return engine


def remembered(engine: Chdb) -> list[dict[str, object]]:
    found = engine.execute(
        "SELECT version, name, checksum, hex(schema_hash) AS hash, by FROM inferometer.schema_migrations "
        "ORDER BY version FORMAT JSONEachRow"
    )
    return list(map(json.loads, found.splitlines()))


def test_a_fresh_store_gets_what_was_planned_once_and_passes_the_check(empty: Chdb) -> None:
    ran: list[str] = []

    def noted(sql: str, parameters: Mapping[str, str] | None = None) -> str:
        ran.append(sql)
        return empty.execute(sql, parameters)

    planned = migrate.plan(empty.execute)

    assert "0" == empty.execute("SELECT count() FROM system.databases WHERE name = 'inferometer'").strip()
    assert set(schema.statements()) == set(planned)
    assert [1, 2, 3, 4, 5] == migrate.apply(noted, by="test")
    assert planned == tuple(dict.fromkeys(sql for sql in ran if sql.startswith("CREATE")))
    assert [] == migrate.apply(empty.execute, by="test")
    assert () == migrate.plan(empty.execute)
    migrate.verify(empty.execute)
    rows = remembered(empty)
    assert [(1, "requests"), (2, "roll-ups")] == [(row["version"], row["name"]) for row in rows[:2]]
    assert {64} == {len(str(row[column])) for row in rows for column in ("checksum", "hash")}
    assert len({row["hash"] for row in rows}) == len(rows)  # each adds something


def test_a_store_of_the_first_version_gets_what_is_missing_once_though_two_migrate_it(empty: Chdb) -> None:
    for statement in (schema.CREATE_DATABASE, *migrate.MIGRATIONS[0].statements(schema.ONE_SERVER)):
        empty.execute(statement)
    empty.execute(
        "INSERT INTO inferometer.schema_migrations (version, name, applied_at, checksum, schema_hash, by) "
        "VALUES (1, 'requests', now64(3), '', '', 'inferometer 0.1.0')"
    )
    others: list[int] = []

    def interrupted(sql: str, parameters: Mapping[str, str] | None = None) -> str:
        found = empty.execute(sql, parameters)
        if "FROM inferometer.schema_migrations" in sql and not others:
            others.extend(migrate.apply(empty.execute, by="other"))
        return found

    assert [2, 3, 4, 5] == migrate.apply(interrupted, by="test") == others
    migrate.verify(empty.execute)
    assert ["inferometer 0.1.0", *["other"] * 4] == [row["by"] for row in remembered(empty)]


def test_a_store_without_minutes_of_heartbeats_gets_those_that_it_holds(empty: Chdb) -> None:
    *before, last = migrate.MIGRATIONS
    made = chain.from_iterable(one.statements(schema.ONE_SERVER) for one in before)
    for statement in (schema.CREATE_DATABASE, *made):
        empty.execute(statement)
    empty.execute(
        "INSERT INTO inferometer.schema_migrations (version, name, applied_at, checksum, schema_hash, by) "
        "SELECT 1 + number, '', now64(3), '', '', 'inferometer 0.1.0' FROM numbers({n:UInt32})",
        {"n": str(len(before))},
    )
    empty.execute(
        "INSERT INTO inferometer.heartbeats (ts, collector, endpoint, boot, arrivals_total) "
        "SELECT toStartOfHour(now()) + number, 'n/1', 'e', 1, number FROM numbers(150)"
    )

    assert [last.version] == migrate.apply(empty.execute, by="test")
    found = empty.execute(
        "SELECT dateDiff('second', min(t) OVER (), t), min(arrivals_total_min), max(arrivals_total_max) "
        "FROM inferometer.r_heartbeats_1m GROUP BY t ORDER BY t FORMAT TabSeparated"
    )
    assert [["0", "0", "59"], ["60", "60", "119"], ["120", "120", "149"]] == [
        line.split() for line in found.splitlines()
    ]


def test_a_newer_store_is_refused_in_one_line(empty: Chdb) -> None:
    for statement in (schema.CREATE_DATABASE, schema.ddl(schema.SCHEMA_MIGRATIONS)):
        empty.execute(statement)
    empty.execute(
        "INSERT INTO inferometer.schema_migrations (version, name, applied_at, checksum, schema_hash, by) "
        "VALUES (99, 'from the future', now64(3), '', '', 'inferometer 9')"
    )

    for migrating in (lambda: migrate.apply(empty.execute, by="test"), lambda: migrate.plan(empty.execute)):
        with pytest.raises(
            migrate.NewerSchemaError, match=rf"^schema version 99, this program knows {migrate.VERSION}:.*$"
        ):
            migrating()


def test_every_name_of_the_schema_is_there_and_no_other(made: Chdb) -> None:
    names = made.execute("SELECT name FROM system.tables WHERE database = 'inferometer'").split()

    assert sorted(names) == sorted(one.name for one in (*schema.TABLES, *schema.VIEWS))


def test_what_a_newer_store_has_more_is_no_difference(made: Chdb) -> None:
    made.execute("ALTER TABLE inferometer.requests ADD COLUMN later UInt8 DEFAULT 1")
    made.execute("CREATE TABLE inferometer.later (x UInt8) ENGINE = MergeTree ORDER BY x")

    migrate.verify(made.execute)
    made.execute("ALTER TABLE inferometer.requests DROP COLUMN later")
    made.execute("DROP TABLE inferometer.later SYNC")


def test_how_long_rows_are_kept_is_no_difference(made: Chdb) -> None:
    assert 2 == len(retention.apply(made.execute, {"requests": 400, "audit": 0}))

    migrate.verify(made.execute)
    assert 2 == len(retention.apply(made.execute, {}))


@pytest.mark.parametrize(
    ("change", "undo", "message"),
    [
        pytest.param(
            "DROP TABLE inferometer.r_1m_from_r_1s SYNC",
            schema.view_ddl(R_1M_FROM_R_1S),
            "table r_1m_from_r_1s is missing",
            id="a view is gone",
        ),
        pytest.param(
            "DROP TABLE inferometer.prices SYNC",
            schema.ddl(next(table for table in schema.TABLES if table.name == "prices")),
            "table prices is missing",
            id="a table is gone",
        ),
        pytest.param(
            "ALTER TABLE inferometer.r_1s RESET SETTING non_replicated_deduplication_window",
            "ALTER TABLE inferometer.r_1s MODIFY SETTING non_replicated_deduplication_window = 10000",
            "table r_1s: setting non_replicated_deduplication_window: expected 10000, found none",
            id="a target of a view has no deduplication window",
        ),
        pytest.param(
            "ALTER TABLE inferometer.hints DROP COLUMN raw",
            "ALTER TABLE inferometer.hints ADD COLUMN raw Nullable(Float32)",
            r"hints\.raw: type: expected Nullable\(Float32\), found none",
            id="a column is gone",
        ),
        pytest.param(
            "ALTER TABLE inferometer.requests MODIFY COLUMN flow_id Nullable(Int64)",
            "ALTER TABLE inferometer.requests MODIFY COLUMN flow_id Nullable(UInt64)",
            r"requests\.flow_id: type: expected Nullable\(UInt64\), found Nullable\(Int64\)",
            id="a column has another type",
        ),
        pytest.param(
            "ALTER TABLE inferometer.requests MODIFY COLUMN ingested_at DEFAULT now64(6)",
            "ALTER TABLE inferometer.requests MODIFY COLUMN ingested_at DEFAULT now64(3)",
            r"requests\.ingested_at: default: expected DEFAULT now64\(3\), found DEFAULT now64\(6\)",
            id="a column has another default",
        ),
        pytest.param(
            "ALTER TABLE inferometer.r_1m_from_r_1s MODIFY QUERY SELECT * FROM inferometer.r_1s",
            "ALTER TABLE inferometer.r_1m_from_r_1s MODIFY QUERY " + R_1M_FROM_R_1S.select.replace("{local}", ""),
            r"table r_1m_from_r_1s: query: expected SELECT s\.endpoint.*, found SELECT \*.*",
            id="a view asks something else",
        ),
    ],
)
def test_a_difference_is_named(made: Chdb, change: str, undo: str, message: str) -> None:
    made.execute(change)

    with pytest.raises(migrate.SchemaDriftError, match=f"^{message}$"):
        migrate.verify(made.execute)
    made.execute(undo)


@pytest.mark.parametrize("variant", [schema.ONE_SERVER, CLUSTER], ids=["one server", "cluster"])
def test_the_engine_reads_every_statement(engine: Chdb, variant: schema.Variant) -> None:
    for statement in (*schema.statements(variant), *schema.table_statements(schema.CONTENT_SAMPLES, variant)):
        # EXPLAIN SYNTAX takes no CREATE of a view or a database.
        if statement.startswith("CREATE TABLE"):
            assert "CREATE TABLE" in engine.execute(f"EXPLAIN SYNTAX {statement}")
        else:
            text = " ".join(statement.split())
            assert engine.execute("SELECT formatQuerySingleLine({q:String})", {"q": text}).startswith("CREATE ")


def test_versions_ascend_and_statements_are_idempotent() -> None:
    versions = [migration.version for migration in migrate.MIGRATIONS]

    assert sorted(set(versions)) == versions
    for migration in migrate.MIGRATIONS:
        for variant in (schema.ONE_SERVER, CLUSTER):
            assert [text for text in migration.statements(variant) if "IF NOT EXISTS" not in text] == []


def test_the_helper_says_what_the_engine_refuses(engine: Chdb) -> None:
    with pytest.raises(ChdbError, match="Code: 47"):
        engine.execute("SELEKT")
