from telemetry.schema import pipeline


def test_a_total_of_ours_is_always_known_and_counts_on() -> None:
    totals = [column for column in pipeline.HEARTBEATS.columns if column.name.endswith("_total")]

    assert [column.name for column in totals if column.type.startswith("Map(")] == ["dropped_total"]
    assert [column.name for column in totals if "UInt64" not in column.type or "Nullable" in column.type] == []


def test_a_heartbeat_is_sorted_by_its_collector() -> None:
    assert pipeline.HEARTBEATS.order_by == "(collector, endpoint, ts)"
    assert pipeline.CLOCK_EVENTS.order_by == "(collector, ts)"
    assert (14, 400) == (pipeline.HEARTBEATS.kept_days, pipeline.CLOCK_EVENTS.kept_days)
