from telemetry.schema import objectives


def test_counts_of_buckets_and_hours_have_the_same_columns() -> None:
    of_minutes, of_hours = (
        [(column.name, column.type) for column in table.columns]
        for table in (objectives.SLO_MINUTES, objectives.SLO_HOURS)
    )

    assert of_minutes == of_hours
    assert (400, 800) == (objectives.SLO_MINUTES.kept_days, objectives.SLO_HOURS.kept_days)


def test_state_is_whole_on_every_node() -> None:
    assert [table.name for table in objectives.OBJECTIVE_TABLES if table.shard_by] == []


def test_a_revision_is_told_from_the_one_before() -> None:
    assert "revision" in {column.name for column in objectives.SLO_MINUTES.columns}
    assert objectives.SLO_DEFINITIONS.order_by == "(slo, revision)"
    assert objectives.SLO_DEFINITIONS.kept_days is None
