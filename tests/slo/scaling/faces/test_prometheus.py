"""Series of hints in every form, read by Prometheus's own parsers."""

import msgspec
import pytest
from face_rig import HINTS, NAME, NOW_S, desk, served
from prometheus_client.parser import text_string_to_metric_families as plain

from slo.scaling.faces.moment import Moment, moment
from slo.scaling.faces.prometheus import ALIAS, EOF, Gauge, gauges, joined, protobuf_page, text_page
from slo.scaling.freshness import Standing
from telemetry.protobuf import fields

FRESH = Moment(standing=Standing.FRESH, served=served(HINTS[Standing.FRESH]))
LABELS = {"target": NAME, "namespace": "prod", "variant": "h100-tp4", "role": "aggregate"}


def samples(page: bytes) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in plain(page.decode()):
        for one in family.samples:
            found.setdefault(one.name, []).append((one.labels, one.value))
    return found


def test_every_series_of_a_target() -> None:
    found = samples(text_page(gauges([FRESH], NOW_S)))

    assert [(LABELS, 6)] == found["inferometer_hint_desired_replicas"]
    assert {"spec": 4, "ready": 3, "warming": 1} == {
        labels["state"]: value for labels, value in found["inferometer_hint_current_replicas"]
    }
    assert [(LABELS | {"action": "scale_up", "reason": "CAPACITY_NOW", "mode": "advisory"}, 1)] == found[
        "inferometer_hint_info"
    ]
    assert {"0.5", "0.95"} == {labels["q"] for labels, _ in found["inferometer_hint_demand_rps"]}
    assert (9, 2.6, 1.25, 0) == tuple(
        found[f"inferometer_hint_{name}"][0][1]
        for name in ("age_seconds", "capacity_goodput_rps", "headroom_ratio", "reversals_1h")
    )
    assert 0 <= found["inferometer_hint_confidence"][0][1] <= 1
    assert ALIAS not in found


def test_the_alias_is_there_if_it_is_wanted() -> None:
    found = samples(text_page(gauges([FRESH], NOW_S, alias=True)))

    assert [({"variant_name": NAME, "namespace": "prod", "accelerator_type": "h100-tp4"}, 6)] == found[ALIAS]


def test_a_degraded_hint_says_so() -> None:
    now = Moment(standing=Standing.PARTIAL, served=served(HINTS[Standing.PARTIAL]))

    assert "degraded" == samples(text_page(gauges([now], NOW_S)))["inferometer_hint_info"][0][0]["mode"]


def test_what_is_unknown_has_no_series() -> None:
    hint = HINTS[Standing.FRESH]
    unknown = msgspec.structs.replace(
        hint, observed_at=None, forecast=msgspec.structs.replace(hint.forecast, p50_rps=None, p95_rps=None)
    )
    found = samples(text_page(gauges([Moment(standing=Standing.FROZEN, served=served(unknown))], NOW_S)))

    assert {"inferometer_hint_age_seconds", "inferometer_hint_demand_rps"}.isdisjoint(found)


@pytest.mark.parametrize("standing", [Standing.STALE, Standing.UNKNOWN, Standing.UNREACHABLE])
def test_without_a_number_there_is_no_series_at_all(standing: Standing) -> None:
    of, now_s = desk(standing)

    assert [] == gauges([moment(of, NAME, now_s)], now_s, alias=True)


def test_metrics_are_added_to_a_page_in_its_own_form() -> None:
    added, page = gauges([FRESH], NOW_S), b"# TYPE up gauge\nup 1.0\n"

    text = joined(page, "text/plain; version=0.0.4", added)
    open_text = joined(page + EOF, "application/openmetrics-text; version=1.0.0", added)
    wire = joined(b"\x02\x0a\x00", "application/vnd.google.protobuf; encoding=delimited", added)

    assert {"up", "inferometer_hint_desired_replicas"} <= set(samples(text))
    assert {"up", "inferometer_hint_info"} <= set(samples(open_text))
    assert (1, True) == (open_text.count(EOF), open_text.endswith(EOF))
    assert b"\x02\x0a\x00" + protobuf_page(added) == wire


def test_the_protobuf_form_has_the_same_numbers() -> None:
    family = protobuf_page([Gauge(name="a", meaning="b", points=[({"x": "y"}, 6.0), ({}, 0)])])

    assert len(family) - 1 == family[0]
    name, meaning, kind, first, second = fields(family[1:])
    assert ((1, b"a"), (2, b"b"), (3, 1)) == (name, meaning, kind)
    assert isinstance(first[1], bytes)
    assert isinstance(second[1], bytes)
    assert [1, 2] == [place for place, _ in fields(first[1])]
    assert [(2, b"")] == list(fields(second[1]))  # a gauge that is 0, not one that is absent


def test_labels_are_escaped() -> None:
    page = text_page([Gauge(name="a", meaning="b", points=[({"x": 'a"b\\c\nd'}, 1)])])

    assert [({"x": 'a"b\\c\nd'}, 1)] == samples(page)["a"]
