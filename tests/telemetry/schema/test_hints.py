from telemetry.schema import hints


def test_hints_are_found_by_their_target_and_time() -> None:
    assert [table.order_by.split(",")[0] for table in hints.HINT_TABLES] == ["(target"] * 5 + ["(release"]
    assert [90, 90, 90, 90, 90, 400] == [table.kept_days for table in hints.HINT_TABLES]


def test_a_phase_of_a_start_that_was_not_seen_is_null() -> None:
    phases = [column for column in hints.COLD_STARTS.columns if column.name.endswith("_us")]

    assert len(phases) == 6
    assert {"Nullable(UInt32)"} == {column.type for column in phases}
