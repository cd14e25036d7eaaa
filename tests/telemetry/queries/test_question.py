from telemetry.queries.question import Select


def test_a_select_leaves_empty_clauses_out() -> None:
    assert "SELECT\n    1\nFROM t" == Select(columns=["1"], source="t").text()


def test_a_select_has_its_clauses_in_order_and_nests() -> None:
    inner = Select(columns=["a", "b"], source="t", where=["a > 1", "b > 2"])
    outer = Select(
        columns=["a", "sum(b) AS c"],
        source=inner,
        group_by=["a"],
        having=["c > 3"],
        order_by=["c DESC", "a"],
        tail="LIMIT 4",
    )

    assert outer.text() == (
        "SELECT\n    a,\n    sum(b) AS c\nFROM (\nSELECT\n    a,\n    b\nFROM t\nWHERE a > 1\n  AND b > 2\n)\n"
        "GROUP BY a\nHAVING c > 3\nORDER BY c DESC, a\nLIMIT 4"
    )
