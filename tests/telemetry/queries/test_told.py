"""Questions about what people and alerts did; their answers: tests/slo/test_lookback.py, test_desk_store.py."""

from telemetry.queries import told


def test_every_answer_is_bounded_and_within_its_time() -> None:
    asked = [
        told.alert_changes(1, 2, slo="s", severity="page", fingerprint=3),
        told.pages(1, 2),
        told.acknowledgements(1, 2),
        told.last_silences(1, 2),
        told.markers(1, 2),
        told.adjustments(1, 2),
        told.acts(1, 2),
    ]

    assert all(one.sql.endswith("LIMIT {most:UInt32}") for one in asked)
    assert {(one.parameters["since"], one.parameters["until"], one.parameters["most"]) for one in asked} == {
        (1, 2, told.TOLD_ROWS_MAX)
    }
    assert told.tokens_out(1, 2).parameters == {"since": 1, "until": 2}


def test_what_is_not_asked_for_is_any() -> None:
    assert told.alert_changes(1, 2).parameters == {
        "since": 1, "until": 2, "most": told.TOLD_ROWS_MAX, "slo": "", "severity": "", "fingerprint": 0,
    }  # fmt: skip
