"""From answers to findings, and from findings to rows."""

import pytest

from probes.exposure_findings import Finding, Presence, Reply, Summary, findings, presence, rows
from probes.exposure_rules import CHANGE, CONTROL, READ, Path, Severity

NOWHERE = Reply(method="OPTIONS", path=CONTROL, status=404)
BY_PATH = {path.path: path for path in (*READ, *CHANGE)}


def got(path: str, status: int | None) -> tuple[Path, Reply]:
    return BY_PATH[path], Reply(method="GET", path=path, status=status)


def options(path: str, status: int | None, *allow: str) -> tuple[Path, Reply]:
    return BY_PATH[path], Reply(method="OPTIONS", path=path, status=status, allow=allow)


@pytest.mark.parametrize(
    ("method", "status", "allow", "expected"),
    [
        ("GET", 200, (), Presence.PRESENT),
        ("GET", 401, (), Presence.GUARDED),
        ("GET", 403, (), Presence.GUARDED),
        ("GET", 404, (), Presence.ABSENT),
        ("GET", 410, (), Presence.ABSENT),
        ("GET", 302, (), Presence.UNKNOWN),
        ("GET", 405, (), Presence.UNKNOWN),
        ("GET", None, (), Presence.UNKNOWN),
        ("OPTIONS", 405, ("POST",), Presence.PRESENT),
        ("OPTIONS", 405, (), Presence.PRESENT),
        ("OPTIONS", 200, ("OPTIONS", "POST"), Presence.PRESENT),
        ("OPTIONS", 204, ("OPTIONS",), Presence.UNKNOWN),
        ("OPTIONS", 200, (), Presence.UNKNOWN),
        ("OPTIONS", 301, ("POST",), Presence.UNKNOWN),
        ("OPTIONS", 404, (), Presence.ABSENT),
        ("OPTIONS", 401, (), Presence.GUARDED),
        ("OPTIONS", 500, (), Presence.UNKNOWN),
    ],
)
def test_an_answer_says_whether_a_path_is_there(
    method: str, status: int | None, allow: tuple[str, ...], expected: Presence
) -> None:
    reply = Reply(method=method, path="/x", status=status, allow=allow)

    assert expected is presence(reply, NOWHERE if method == "OPTIONS" else None)


def test_an_engine_that_answers_every_path_alike_says_nothing() -> None:
    everywhere = Reply(method="OPTIONS", path=CONTROL, status=405, allow=("POST",))
    elsewhere = Reply(method="OPTIONS", path="/pause", status=405, allow=("GET", "POST"))

    assert presence(Reply(method="OPTIONS", path="/pause", status=405, allow=("POST",)), everywhere) is Presence.UNKNOWN
    assert presence(elsewhere, everywhere) is Presence.PRESENT


def severities(found: list[Finding]) -> dict[str, Severity]:
    return {one.path: one.severity for one in found}


def test_vllm_s_key_leaves_what_lies_outside_its_prefixes_open() -> None:
    asked = [
        got("/v1/models", 401),
        got("/version", 200),
        options("/pause", 405, "POST"),
        options("/v1/load_lora_adapter", 405, "POST"),
        options("/invocations", 405, "POST"),
        options("/tokenize", 405, "POST"),
    ]

    found = findings("vllm", asked, NOWHERE)

    assert severities(found) == {
        "/pause": Severity.HIGH,
        "/invocations": Severity.HIGH,
        "/tokenize": Severity.MEDIUM,
        "/version": Severity.LOW,
    }
    assert [one.severity for one in found] == sorted(severities(found).values(), key=list(Severity).index)
    assert found[0].evidence == ("OPTIONS answered 405 (Allow: POST); the key of vLLM 0.32.0 does not cover this path")
    assert found[0].fix == "bind the engine to 127.0.0.1, or refuse /pause at the gateway"


def test_without_a_key_everything_that_is_there_is_open_and_nothing_is_bypassed() -> None:
    asked = [
        got("/v1/models", 200),
        options("/v1/load_lora_adapter", 405),
        options("/invocations", 405),
        options("/sleep", 404),
    ]

    found = findings("vllm", asked, NOWHERE)

    assert severities(found) == {
        "/v1/load_lora_adapter": Severity.HIGH,
        "/invocations": Severity.MEDIUM,
        "/v1/models": Severity.LOW,
    }
    assert found[0].fix.startswith("set --api-key, bind")
    assert found[0].evidence == "OPTIONS answered 405, and no key is asked for"


def test_sglang_s_key_covers_what_changes_it() -> None:
    with_key = [got("/v1/models", 401), options("/flush_cache", 405, "GET", "POST"), got("/metrics", 200)]
    without = [got("/v1/models", 200), options("/flush_cache", 405, "GET", "POST")]

    assert severities(findings("sglang", with_key, NOWHERE)) == {"/metrics": Severity.LOW}
    flush, _ = findings("sglang", without, NOWHERE)
    assert (flush.path, flush.severity) == ("/flush_cache", Severity.HIGH)
    assert flush.evidence.endswith("; a plain GET may do it, so may a link")


def test_llama_cpp_lists_models_to_all_so_its_slots_say_whether_a_key_is_set() -> None:
    asked = [got("/v1/models", 200), got("/slots", 401)]

    assert severities(findings("llama.cpp", asked, NOWHERE)) == {"/v1/models": Severity.LOW}


def test_an_unknown_engine_with_a_key_gives_what_may_be_open_as_medium() -> None:
    asked = [got("/v1/models", 403), options("/pause", 405)]

    (found,) = findings("", asked, NOWHERE)

    assert found.severity is Severity.MEDIUM
    assert "not known for this engine" in found.evidence


def test_rows_say_everything_and_the_last_one_counts_the_high_ones() -> None:
    found = findings("", [got("/version", 200), options("/pause", 405)], NOWHERE)
    first, second, last = rows("edge", 5, found, Summary(engine="", asked_n=2, unknown_n=0, duration_us=7))

    assert {row.probe for row in (first, second, last)} == {"exposure"}
    assert (first.outcome, first.ok, first.detail["path"], first.value) == ("high", 0, "/pause", None)
    assert set(first.detail) == {"method", "path", "allows", "evidence", "fix"}
    assert (second.outcome, second.ok) == ("low", 1)
    assert (last.outcome, last.ok, last.value, last.duration_us, last.target, last.ts) == ("high", 0, 1.0, 7, "edge", 5)
    assert last.detail == {"engine": "unknown", "rules": "those of every engine", "asked": "2", "unknown": "0"}


def test_an_engine_that_could_not_be_asked_has_no_number() -> None:
    (row,) = rows("edge", 5, (), Summary(engine="vllm", fault="nobody listens there"))

    assert (row.outcome, row.ok, row.value) == ("unreachable", 0, None)
    assert (row.detail["fault"], row.detail["rules"]) == ("nobody listens there", "vLLM 0.32.0")
