import json
from pathlib import Path

import pytest

from telemetry import schema
from telemetry.schema.document import Output, document

ROOT = Path(__file__).parents[3]


def test_the_page_in_the_repository_is_the_generated_one() -> None:
    # To make it so: inferometer store schema --output markdown > docs/schema.md
    assert document(Output.MARKDOWN) == (ROOT / "docs" / "schema.md").read_text()


def test_the_page_has_every_table_and_column() -> None:
    page = document(Output.MARKDOWN)

    for table in (*schema.TABLES, schema.CONTENT_SAMPLES):
        section = page.partition(f"## {table.name}\n")[2].partition("\n## ")[0]
        assert [c.name for c in table.columns if f"\n| `{c.name}` | `{c.type}` | {c.unit} |" not in section] == []
    assert [view.name for view in schema.VIEWS if f"`{view.name}`" not in page] == []


def test_no_cell_breaks_its_row() -> None:
    rows = [line for line in document(Output.MARKDOWN).splitlines() if line.startswith("|")]

    assert {line.count("|") for line in rows} == {4, 5, 6}


@pytest.mark.parametrize("variant", [schema.ONE_SERVER, schema.Variant(cluster="main")], ids=["one server", "cluster"])
def test_the_sql_is_every_statement_in_order(variant: schema.Variant) -> None:
    assert document(Output.SQL, variant).split(";\n\n") == [*schema.statements(variant), ""]


def test_a_program_finds_every_table_with_its_columns() -> None:
    found = json.loads(document(Output.JSON))

    assert [table["name"] for table in found["tables"]] == [t.name for t in (*schema.TABLES, schema.CONTENT_SAMPLES)]
    requests = next(table for table in found["tables"] if table["name"] == "requests")
    assert requests["kept_days"] == 14
    assert requests["columns"][0] == {
        "name": "ended_at",
        "type": "DateTime64(3, 'UTC')",
        "unit": "ms",
        "codec": "Delta(8), ZSTD(1)",
        "default": "",
        "meaning": "wall time at which the outcome was decided: wall anchor plus monotonic delta",
    }
    assert [view["name"] for view in found["views"]] == [view.name for view in schema.VIEWS]
