"""What markers and objectives show."""

from dataclasses import replace
from typing import Any

from views import NOW_S, judged

from slo.evidence import REGIONS_TEMPLATE, Operated, evidence
from slo.mttr import Evidence
from slo.shown import SloShown, slo_shown


def row(kind: str, minutes: float | None = None, *, automated: int = 0, text: str = "") -> dict[str, Any]:
    end = None if minutes is None else round(minutes * 60_000)
    return {"kind": kind, "at_unix_ms": 0, "end_unix_ms": end, "automated": automated, "text": text}


def regional(bad: int) -> SloShown:
    one = slo_shown(judged(bad=bad), NOW_S)
    return replace(one, definition=replace(one.definition, template=REGIONS_TEMPLATE))


def test_without_markers_there_is_no_evidence() -> None:
    assert evidence(Operated(markers=[], tokens_per_month=0).markers, [slo_shown(judged(), NOW_S)]) == Evidence()


def test_markers_show_how_long_deployments_take_and_who_acts() -> None:
    markers = [
        row("deploy", 6), row("deploy", 10, text="Canary first"), row("deploy", 8, automated=1, text="rollback to v1"),
        row("deploy"), row("scale", automated=1), row("scale"), row("scale", automated=1), row("scale", automated=1),
        row("price", 99),
    ]  # fmt: skip

    assert evidence(markers, []) == Evidence(
        deploy_min=8.0, canaries_seen=True, scaling_automated_ratio=0.75, rollback_automated_ratio=1.0
    )


def test_the_objective_over_regions_must_be_met_everywhere() -> None:
    assert evidence([], [regional(0)]).regions_slo_met is True
    assert evidence([], [regional(0), regional(100)]).regions_slo_met is False
