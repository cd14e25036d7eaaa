"""The table of metrics that we know the meaning of."""

from slo.promql_metrics import CLASS_LABELS, DURATIONS, MODEL_LABELS, REQUESTS, STATUS_LABELS


def test_a_label_and_a_metric_mean_one_thing() -> None:
    assert not STATUS_LABELS & CLASS_LABELS | STATUS_LABELS & MODEL_LABELS
    assert all(name.endswith("_seconds") for name in DURATIONS)
    assert not REQUESTS & set(DURATIONS)
