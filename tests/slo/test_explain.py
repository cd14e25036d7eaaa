"""Explanations of alerts over a real store: what is odd is named, the same way each time; what fails is left out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, cast

import pytest
from explain_rig import AT_S, DAY_S, Traffic, case, deploy

from slo.burn_catalogue import Severity
from slo.explain import EXPLAIN_S_MAX, LIMITS_S, LINK_CHARACTERS_MAX, WINDOW_S_MAX, explainer
from slo.explain_words import DETAIL_BYTES_MAX
from slo.expression import parse
from slo.stages import Stage
from slo.wholes import Flow
from telemetry.outcome import Eligibility, Outcome
from telemetry.queries import bad_events
from telemetry.samples import EngineSample, GpuRow
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

HOSTILE = ("'; DROP TABLE requests; --", "{x:String}", "a\tb\nc\r\0", "\u202e", "<script>&", "ä€😀", '"\\', "x" * 300)
UI = "http://ui.example"
PARTS = [name for name in LIMITS_S if name != "stages"]
"""What is asked of an objective without stages."""


@pytest.fixture(scope="module")
def world(process: StoreProcess) -> Store:
    """Store every scenario at once: each insert costs more than its rows."""
    traffic = Traffic()
    for endpoint in ("bad-replica", "long-prompts"):
        traffic.usual(endpoint)
    for replica in range(8):
        of = {"replica": f"r{replica}"}
        traffic.add("bad-replica", 25, {**of, "ttft_us": 5_000_000 if replica == 3 else 90_000})
        traffic.add("long-prompts", 20, {**of, "tokens_in": 500})
        traffic.add("long-prompts", 5, {**of, "tokens_in": 9_000, "ttft_us": 4_000_000})
    traffic.add("hot", 50, {"replica": "r1", "ttft_us": 4_000_000})
    failed = {"outcome": Outcome.SERVER_ERROR, "eligible": Eligibility.BAD, "http_status": 500, "variant": "v2"}
    traffic.add("deployed", 30, failed)
    traffic.add("deployed", 30, {"variant": "v1"}, before_s=7_200)
    for name in HOSTILE:
        traffic.add(HOSTILE[0], 20, {"replica": name, "model": name, "tenant": name, "ttft_us": 4_000_000})
    traffic.add(HOSTILE[0], 400, {"replica": "fine", "model": "fine", "tenant": "fine"})
    for flow in range(1, 5):
        traffic.add("film", 1, {"flow_id": flow, "model": "image", "ttft_us": 2_550_000}, before_s=90)
        traffic.add("film", 1, {"flow_id": flow, "model": "video", "ttft_us": 48_550_000}, before_s=40)
    traffic.add("other-film", 1, {"flow_id": 9, "model": "image", "ttft_us": 90_000_000}, before_s=40)
    writer = process.store("writer")
    traffic.store(writer)
    return writer


def told(reader: Store, endpoint: str) -> Mapping[str, str]:
    return explainer(reader, UI, lambda: 0.0)(*case(endpoint))


def facts(words: Mapping[str, str]) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(words["detail"]))


@pytest.mark.usefixtures("world")
def test_one_bad_replica_of_eight_is_named(reader: Store) -> None:
    words = told(reader, "bad-replica")

    assert words["impact"] == "25 of 200 requests of the last 5m were bad (12.5 %)"
    assert words["top_contributors"] == (
        "17 bad requests more than in the same hours of the 7 days before, concentrated in replica r3"
        " (with 100 % of them; 100 % of its 25 requests are bad, 8 times the share of all)"
    )
    assert words["error_classes"] == "answered, but outside the objective: 25 (100 %)"
    assert words["phase_split"] == (
        "medians: to the first output 5 s (usually 50 ms); decode 1.45 s (usually 1.45 s)."
        " Grew most: to the first output"
    )
    assert words["naive_verdict"].startswith("silent: HTTP statuses of 500 and more alone show 0 of 200 requests")
    assert len({one["record_id"] for one in facts(words)["exemplars"]}) == 3
    assert words["exemplars"].count("on replica r3") == 3
    assert words["changes"] == "none known in the last 60 min"
    assert facts(words)["gaps"] == []


@pytest.mark.usefixtures("world")
def test_long_prompts_are_named_where_the_replicas_are_all_alike(reader: Store) -> None:
    words = told(reader, "long-prompts")

    assert "concentrated in input length 8192 to 16383 tokens (" in words["top_contributors"]
    assert "replica" not in words["top_contributors"]


@pytest.mark.usefixtures("world")
def test_what_is_usual_of_a_part_of_many_requests_is_no_exact_figure(
    reader: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = case("bad-replica", severity=Severity.TICKET)
    exact = explainer(reader, UI, lambda: 0.0)(*ticket)
    monkeypatch.setattr(bad_events, "REFERENCE_ROWS_MAX", 300)
    part = explainer(reader, UI, lambda: 0.0)(*ticket)

    assert ("exact", "estimated") == (exact["method"], part["method"])
    assert ("exact", "estimated") == (facts(exact)["method"], facts(part)["method"])
    assert " of them), concentrated in replica r3 (" in part["top_contributors"]
    assert " of them), " not in exact["top_contributors"]


@pytest.mark.usefixtures("world")
def test_the_stage_that_costs_a_flow_its_budget_is_named(reader: Store) -> None:
    stages = (
        Stage(name="image", match="model == 'image'", budget_s=3),
        Stage(name="video", match="model == 'video'", budget_s=40),
    )
    whole = Flow(last=parse("model == 'video'"), budget_s=50, stages=stages)
    judged, alert = case("film")
    objective = replace(judged.watched.objective, whole=whole)
    judged = replace(judged, watched=replace(judged.watched, objective=objective))
    words = explainer(reader, UI, lambda: 0.0)(judged, alert)

    assert words["stages"] == (
        "most time over budget: stage video, 90.9 % of all stages' (40 s beyond 40 s in 4 flows)."
        " P99 of 4 flows: 54 s; P99s of their stages add up to 54 s: upper bound, true only if all stages are slow"
        " together"
    )
    assert [one["name"] for one in facts(words)["stages"]] == ["", "image", "video"]
    assert "stages" not in told(reader, "film"), "of an objective without any"


def test_a_gpu_that_throttles_comes_first(reader: Store, world: Store) -> None:
    rows = [
        GpuRow(
            ts=AT_S * 1000 - 1_000 * at, node="n1", gpu_uuid=f"G{index}", mig_uuid="", gpu_name="H100", endpoint="hot",
            replica=f"r{index}", gpu_index=index, gpu_util_ratio=0.98, throttle_bits=0x40 if index == 1 else 1,
        )
        for at in range(1, 5)
        for index in (0, 1)
    ]  # fmt: skip
    world.insert_samples(rows, "explain-gpus")
    engine = EngineSample(
        ts=AT_S * 1000 - 500, endpoint="hot", replica="r1", up=1, scrape_us=1, queued=40, kv_used_ratio=0.5
    )
    world.insert_samples([engine], "explain-engine")
    words = told(reader, "hot")

    assert words["gpu"] == (
        "GPU 1 of n1 (replica r1): utilisation 98 %, SM active unknown, throttled 100 % of the time (heat (hardware)),"
        " no Xid; GPU 0 of n1 (replica r0): utilisation 98 %, SM active unknown, not throttled, no Xid"
    )
    assert words["engine"] == "replica r1: queue 40, KV cache 50 %"


def test_a_deploy_before_the_alert_is_told(reader: Store, world: Store) -> None:
    deploy(world, "deployed", 420)
    words = told(reader, "deployed")

    assert "min before): first request for a day with variant v2; " in words["changes"]
    assert words["changes"].endswith("(7 min before): deploy chat v2 by ci")
    assert words["naive_verdict"].startswith("page: HTTP statuses of 500 and more alone show 30 of 30 requests")
    assert words["error_classes"] == "server_error, done: 30 (100 %)"


def test_where_nothing_is_known_nothing_is_made_up(reader: Store) -> None:
    words = told(reader, "silence")

    assert {
        "impact": "0 of 0 requests of the last 5m were bad",
        "error_classes": "no bad request has ended",
        "top_contributors": "no more bad requests than in the same hours of the 7 days before",
        "phase_split": "no time of a bad request is known",
        "exemplars": "no bad request has ended",
        "changes": "none known in the last 60 min",
        "engine": "no engine was asked",
        "gpu": "no GPU was sampled",
        "method": "exact",
    } == {name: text for name, text in words.items() if name not in {"link", "detail"}}


def test_hostile_names_stay_names_and_everything_stays_short(reader: Store, world: Store) -> None:
    endpoint = HOSTILE[0]
    engines = [
        EngineSample(ts=AT_S * 1000 - 10, endpoint=endpoint, replica=name, up=1, scrape_us=1, queued=at)
        for at, name in enumerate(HOSTILE)
    ]
    world.insert_samples(engines, "explain-hostile")
    deploy(world, endpoint, 60, text=HOSTILE[2], actor=HOSTILE[3], version=HOSTILE[7], service=HOSTILE[4])
    words = told(reader, endpoint)

    assert words["impact"] == "160 of 560 requests of the last 5m were bad (28.6 %); 8 of 9 tenants were hit"
    assert all(text.isprintable() for text in words.values())
    assert len(words["detail"].encode()) <= DETAIL_BYTES_MAX
    assert max(len(text) for name, text in words.items() if name != "detail") < 1_000
    assert words["link"].endswith("&endpoint=%27%3B+DROP+TABLE+requests%3B+--&tz=utc")


@pytest.mark.usefixtures("world")
def test_two_replicas_say_the_same_to_the_byte(process: StoreProcess, reader: Store) -> None:
    other = process.store("reader")
    said = [[json.dumps([*told(of, name).items()]) for name in ("bad-replica", HOSTILE[0])] for of in (reader, other)]
    other.close()

    assert said[0] == said[1]


@pytest.mark.usefixtures("world")
def test_a_question_that_takes_too_long_is_a_gap_and_the_rest_stands(reader: Store) -> None:
    for name in ("top_contributors", "changes"):
        words = explainer(reader, UI, lambda: 0.0, {**LIMITS_S, name: 0.001})(*case("bad-replica"))

        assert name not in words
        assert name == words["explanation_gaps"]
        assert {*PARTS} - {name} <= set(words)
        assert [name] == facts(words)["gaps"]


@pytest.mark.usefixtures("world")
def test_all_alerts_of_an_instant_share_one_budget(reader: Store) -> None:
    clock = count(0, EXPLAIN_S_MAX / 4)  # each look at it costs a quarter
    explain = explainer(reader, UI, lambda: next(clock))
    first, second = explain(*case("bad-replica")), explain(*case("bad-replica"))

    assert ["impact", "error_classes", "top_contributors"] == [name for name in PARTS if name in first]
    assert ", ".join(PARTS) == second["explanation_gaps"]


def test_a_store_that_is_gone_is_asked_once() -> None:
    words = explainer(Store("http://127.0.0.1:1"), UI, lambda: 0.0)(*case("bad-replica"))

    assert ", ".join(PARTS) == words["explanation_gaps"]
    assert {"link", "method", "explanation_gaps", "detail"} == set(words)


def test_who_sees_nothing_is_asked_nothing() -> None:
    nowhere = Store("http://127.0.0.1:1")
    words = explainer(nowhere, UI + "/", lambda: 0.0)(*case("e", is_blind=True, labels={"runbook": ("https://r",)}))

    assert {"link", "runbook"} == set(words)
    assert words["link"].startswith(f"{UI}/ui/alerts/000000000000beef?from=20")
    assert {} == explainer(nowhere, "", lambda: 0.0)(*case("e", is_blind=True))


def test_hints_about_its_endpoints_stand_beside_it() -> None:
    nowhere = Store("http://127.0.0.1:1")
    asked: list[tuple[str, ...]] = []

    def hint(endpoints: Sequence[str]) -> str:
        asked.append(tuple(endpoints))
        return "chat: scale_up, 4 -> 6 replicas"

    words = explainer(nowhere, UI, lambda: 0.0, hint=hint)(*case("bad-replica"))

    assert "chat: scale_up, 4 -> 6 replicas" == words["hint"]
    assert [("bad-replica",)] == asked


def test_a_link_that_is_too_long_goes_without_its_filters() -> None:
    said = [
        explainer(Store("http://127.0.0.1:1"), UI, lambda: 0.0)(*case("e" * n, is_blind=True)) for n in (100, 2_000)
    ]
    spare = LINK_CHARACTERS_MAX - len(said[0]["link"])
    longest = explainer(Store("http://127.0.0.1:1"), UI, lambda: 0.0)(*case("e" * (100 + spare), is_blind=True))

    assert "endpoint=e" in said[0]["link"]
    assert "endpoint" not in said[1]["link"]
    assert len(longest["link"]) == LINK_CHARACTERS_MAX


@pytest.mark.usefixtures("world")
def test_what_is_said_leaves_room_for_facts_that_can_be_read(reader: Store) -> None:
    judged, alert = case(HOSTILE[0])
    alert = type(alert)(record=alert.record, labels=alert.labels, annotations={"summary": "x" * (13 << 10)})
    words = explainer(reader, UI, lambda: 0.0)(judged, alert)
    kept = type(alert)(record=alert.record, labels=alert.labels, annotations=alert.annotations, explanation=words)

    assert json.loads(kept.notice().annotations["detail"])["cut"] > 0


def test_an_explanation_never_raises(reader: Store) -> None:
    judged, alert = case("e")
    alert = type(alert)(record=alert.record, labels={}, annotations={})

    assert {"explanation_gaps": "everything"} == explainer(reader, UI, lambda: 0.0)(judged, alert)


@pytest.mark.usefixtures("world")
def test_what_the_alert_says_itself_is_not_said_again(reader: Store) -> None:
    judged, alert = case("bad-replica")
    alert = type(alert)(record=alert.record, labels=alert.labels, annotations={"impact": "as it is now"})

    assert "impact" not in explainer(reader, "", lambda: 0.0)(judged, alert)


def test_the_window_is_the_shortest_of_the_rule_that_speaks(reader: Store) -> None:
    page, ticket, longest = (
        facts(explainer(reader, "", lambda: 0.0)(*case("silence", bad=bad, severity=severity)))["window_s"]
        for bad, severity in ((1_000, "page"), (100, "ticket"), (30, "ticket"))
    )

    assert (300, 7_200, WINDOW_S_MAX) == (page, ticket, longest)
    assert DAY_S > WINDOW_S_MAX  # else it would be its own reference
