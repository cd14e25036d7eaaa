import json
from dataclasses import replace

import pytest

from inferometer import migrate
from telemetry import schema


class Catalogue:
    """A store that keeps what it was told, enough of one to migrate."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.tables = {table.name: table for table in schema.TABLES}
        self.settings = ", ".join(f"{name} = {value}" for name, value in schema.REQUESTS.settings.items())

    def execute(self, sql: str) -> str:
        self.ran.append(sql)
        if "FROM system.tables" in sql:
            rows = [[name, "MergeTree ORDER BY x SETTINGS " + self.settings] for name in self.tables]
        elif "FROM system.columns" in sql:
            rows = [[table.name, c.name, c.type] for table in self.tables.values() for c in table.columns]
        elif "FROM inferometer.schema_migrations" in sql:
            return "".join("1\n" for ran in self.ran if ran.startswith("INSERT"))
        else:
            return ""
        return "\n".join(map(json.dumps, rows))


def test_a_fresh_store_gets_every_table_once() -> None:
    catalogue = Catalogue()

    assert [1] == migrate.apply(catalogue.execute, by="test")
    assert [] == migrate.apply(catalogue.execute, by="test")
    assert schema.CREATE_DATABASE == catalogue.ran[0]
    for table in schema.TABLES:
        assert schema.ddl(table) in catalogue.ran


def test_versions_ascend_and_statements_are_idempotent() -> None:
    versions = [migration.version for migration in migrate.MIGRATIONS]

    assert sorted(set(versions)) == versions
    for migration in migrate.MIGRATIONS:
        assert [text for text in migration.statements if "IF NOT EXISTS" not in text] == []


def test_a_sound_store_passes() -> None:
    migrate.verify(Catalogue().execute)


def test_a_missing_table_is_named() -> None:
    catalogue = Catalogue()
    del catalogue.tables["requests"]

    with pytest.raises(migrate.SchemaDriftError, match="table requests is missing"):
        migrate.verify(catalogue.execute)


def test_a_table_without_its_deduplication_window_is_named() -> None:
    catalogue = Catalogue()
    catalogue.settings = catalogue.settings.replace("non_replicated_deduplication_window = 10000, ", "")

    with pytest.raises(migrate.SchemaDriftError, match="non_replicated_deduplication_window is not set"):
        migrate.verify(catalogue.execute)


def test_a_column_of_another_type_is_named() -> None:
    catalogue = Catalogue()
    columns = [replace(c, type="String") if c.name == "seq" else c for c in schema.REQUESTS.columns]
    catalogue.tables["requests"] = replace(schema.REQUESTS, columns=tuple(columns))

    with pytest.raises(migrate.SchemaDriftError, match=r"requests\.seq: expected UInt64, found String"):
        migrate.verify(catalogue.execute)
