"""The report as texts: digits, marks, legend, and names that must not harm a terminal or a spreadsheet."""

import csv
from io import StringIO

import pytest
from report_rows import FAILING, NOTHING, few, row

from inferometer.report import Group, Window, groups
from inferometer.report_tables import as_csv, as_markdown, printable, tables, three_digits

WINDOW = Window(since_ms=940_000, until_ms=1_060_000)


def made(*rows: object) -> list[Group]:
    return groups(rows, WINDOW)  # type: ignore[arg-type]  # rows of report_rows


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "n/a"),
        (0.0, "0.000"),
        (0.0123, "0.012"),
        (1.234, "1.23"),
        (12.34, "12.3"),
        (123.4, "123"),
        (999.4, "999"),
        (999.6, "1.00k"),
        (12_345.0, "12.3k"),
        (1_234_567.0, "1.23M"),
        (1_234_567_890.0, "1230M"),
    ],
)
def test_a_number_has_three_digits(value: float | None, expected: str) -> None:
    assert expected == three_digits(value)


def test_each_metric_has_its_unit_n_and_provenance() -> None:
    [table] = tables(made(row()))

    assert table.title == "chat  tiny  (300 requests)"
    assert [cells[:3] for cells in table.rows] == [
        *[("TTFT (ms)", "all", "300"), ("TPOT (ms)", "ok", "300")],
        *[("E2E (s)", "all", "300"), ("stall (ms)", "ok", "300")],
    ]
    assert table.rows[0][3:] == ("20.0", "40.0", "50.0?", "60.0", "tee, exact")
    assert table.rows[1][-1] == "tokens from usage"


def test_both_populations_are_shown_where_something_failed() -> None:
    [table] = tables(made(row(spreads={"ttft": FAILING})))

    assert [cells[:3] for cells in table.rows[:2]] == [("TTFT (ms)", "all", "300"), ("TTFT (ms)", "ok", "294")]
    assert (table.rows[0][5], table.rows[1][5]) == ("fails", "50.0?")


def test_marks_are_explained_once_at_the_end() -> None:
    first, last = tables(made(row("a", spreads={"ttft": FAILING}), row("b", spreads={"tpot": few(12)})))

    assert [note.split()[0] for note in first.notes] == ["outcomes", "tokens"]
    assert [note.split()[0] for note in last.notes] == ["outcomes", "tokens", "n<100", "?", "fails"]
    assert last.rows[1][3:6] == ("20.0", "n<20", "n<100")


def test_a_certain_report_explains_nothing() -> None:
    metrics: tuple[str, ...] = ("ttft", "tpot", "e2e", "icl_max")
    [table] = tables(made(row(spreads=dict.fromkeys(metrics, few(700)))))

    assert len(table.notes) == 2


def test_what_is_not_known_is_said() -> None:
    none: dict[str, int] = {}
    known = row(spreads={"tpot": NOTHING}, n_tok_null=3, tok_sources={"none": 300}, ttft_sources=none)
    [table] = tables(made({**known, "ttft_qualities": none}))

    assert table.rows[0][-1] == "n/a, n/a"
    assert table.rows[1][2:] == ("0", "n<2", "n<20", "n<100", "n/a", "tokens from n/a")
    assert table.notes[1].endswith("; 3 requests did not say their output tokens")


def test_a_mixed_provenance_names_the_larger_part() -> None:
    [table] = tables(made(row(ttft_qualities={"exact": 225, "held": 75})))

    assert table.rows[0][-1] == "tee, exact 75 %"


def test_the_global_group_is_left_out_where_it_repeats_the_only_one() -> None:
    assert len(tables(made(row(), row("", "")))) == 1
    assert [table.title for table in tables(made(row("a"), row("b", ""), row("", "")))] == [
        *["a  tiny  (300 requests)", "b  -  (300 requests)"],
        "all endpoints and models  (300 requests)",
    ]
    assert tables([]) == []


def test_markdown_has_a_rule_per_column_and_escapes_bars() -> None:
    text = as_markdown(made(row("a", ttft_qualities={"x|y": 1})))

    assert "|---|---|---:|---:|---:|---:|---:|---|" in text
    assert "tee, x\\|y" in text


def test_csv_has_units_in_its_headings_and_no_formulas() -> None:
    [first, last] = csv.DictReader(StringIO(as_csv(made(row("=cmd()", spreads={"ttft": FAILING}), row("", "")))))

    assert (first["endpoint"], first["n"], first["ttft_p50_s"], first["ttft_p99_s"]) == ("'=cmd()", "300", "0.02", "")
    assert (first["tokens_out_per_s"], first["outcomes"], first["ok"]) == ("20.0", "ok=300", "300")
    assert (last["endpoint"], last["model"]) == ("", "")


def test_csv_without_groups_is_its_headings() -> None:
    assert as_csv([]).startswith("endpoint,model,n,ttft_p50_s,")
    assert as_csv([]).count("\n") == 1


def test_a_name_cannot_drive_the_terminal() -> None:
    assert printable("a\x1b[31m\u202eb") == "a?[31m?b"
