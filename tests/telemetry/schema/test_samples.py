from telemetry.schema import samples


def test_what_a_failed_scrape_cannot_know_may_be_null() -> None:
    figures = (*samples.ENGINE_GAUGES, *samples.ENGINE_COUNTERS, *samples.GPU_GAUGES, *samples.GPU_COUNTERS)

    assert [column.name for column in figures if not column.type.startswith("Nullable(")] == []


def test_a_gauge_is_a_column_of_its_table() -> None:
    assert {*samples.ENGINE_GAUGES, *samples.ENGINE_COUNTERS} < set(samples.ENGINE_METRICS.columns)
    assert {*samples.GPU_GAUGES, *samples.GPU_COUNTERS} < set(samples.GPU_SAMPLES.columns)


def test_samples_are_sorted_by_series_before_time() -> None:
    assert [table.order_by for table in samples.SAMPLE_TABLES] == [
        "(endpoint, replica, ts)",
        "(endpoint, replica, metric, ts)",
        "(node, gpu_uuid, ts)",
        "(target, probe, ts)",
    ]
    assert [14, 14, 14, 90] == [table.kept_days for table in samples.SAMPLE_TABLES]
