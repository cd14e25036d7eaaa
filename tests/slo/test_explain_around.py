"""GPUs, engines and changes, in words."""

import pytest
from explain_rig import items

from slo import explain_around
from slo.explain_around import THROTTLES, Change
from slo.explain_words import LISTED_MAX, NAMED_MAX
from telemetry.queries.around import THROTTLE_BITS


def gpu(**known: object) -> dict[str, object]:
    return {
        "endpoint": "e", "replica": "r1", "node": "n1", "gpu_index": 3, "gpu_uuid": "G", "util_ratio": 0.5,
        "sm_ratio": None, "sm_mhz_min": 1, "sm_max_mhz": 2, "temp_c_max": 80.0, "xid": None, "throttled_ratio": 0.0,
        "throttle_bits": 0,
    } | known  # fmt: skip


@pytest.mark.parametrize(
    ("row", "words"),
    [
        pytest.param(
            gpu(),
            "GPU 3 of n1 (replica r1): utilisation 50 %, SM active unknown, not throttled, no Xid",
            id="nothing odd",
        ),
        pytest.param(
            gpu(throttled_ratio=0.25, throttle_bits=0x41 | 0x04, sm_ratio=0.875, xid=79),
            "GPU 3 of n1 (replica r1): utilisation 50 %, SM active 87.5 %,"
            " throttled 25 % of the time (power cap, heat (hardware)), Xid 79",
            id="everything odd; idle is no reason",
        ),
        pytest.param(
            gpu(replica="", util_ratio=None, throttled_ratio=None, throttle_bits=None),
            "GPU 3 of n1 (nobody known runs on it): utilisation unknown, SM active unknown, throttling unread, no Xid",
            id="unread",
        ),
    ],
)
def test_a_gpu(row: dict[str, object], words: str) -> None:
    assert explain_around.gpu([row]).words == words


def test_a_gpu_with_an_error_comes_before_those_without() -> None:
    rows = [gpu(gpu_index=at) for at in range(LISTED_MAX)] + [gpu(gpu_index=99, xid=48)]
    part = explain_around.gpu(rows)

    assert part.words.startswith("GPU 99 of n1")
    assert part.words.endswith(f"; {LISTED_MAX + 1 - NAMED_MAX} more")
    assert [99, *range(LISTED_MAX - 1)] == [one["gpu_index"] for one in items(part)]


def test_every_bit_that_counts_as_throttling_has_a_name() -> None:
    assert sum(THROTTLES) == THROTTLE_BITS


def engine(**known: object) -> dict[str, object]:
    names = ("running_max", "queued_max", "kv_used_ratio_max", "preemptions", "rejections")
    return {"endpoint": "e", "replica": "r", "n": 20, "n_up": 20, **dict.fromkeys(names), **known}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        pytest.param(
            engine(queued_max=40, running_max=8, kv_used_ratio_max=0.99, preemptions=0, rejections=0),
            "replica r: queue 40, running 8, KV cache 99 %, preemptions 0",
            id="what it says",
        ),
        pytest.param(engine(rejections=2), "replica r: rejections 2", id="rejections if there are any"),
        pytest.param(engine(), "replica r: answers, says nothing", id="an engine without metrics"),
        pytest.param(engine(n_up=0), "replica r: did not answer 20 times", id="down"),
    ],
)
def test_an_engine(row: dict[str, object], words: str) -> None:
    assert explain_around.engine([row]).words == words


def test_changes_of_every_kind_stand_newest_first() -> None:
    told = {"at_unix_ms": 3_000_000, "kind": "deploy", "service": "chat", "version": "v2", "actor": "ci", "text": "x"}
    bare = {"at_unix_ms": 3_599_999, "kind": "scale", "service": "", "version": "", "actor": "", "text": ""}
    hashed = {"at_unix_ms": 3_100_000, "replica": "r", "what": "config_hash", "was": "7", "became": "8"}
    model = {"at_unix_ms": 3_200_000, "replica": "r", "what": "model", "was": "a", "became": "b"}
    found = [
        *explain_around.of_markers([told, bare]),
        *explain_around.of_engines([hashed, model]),
        *explain_around.of_replicas([{"at_unix_ms": 3_300_000, "replica": "q", "what": "came"}]),
        *explain_around.of_replicas([{"at_unix_ms": 3_400_000, "replica": "p", "what": "gone"}]),
        *explain_around.of_newcomers([{"at_unix_ms": 3_500_000, "what": "variant", "became": "canary"}]),
    ]
    part = explain_around.changes(found, 3_600)

    assert [
        ("scale", "scale"),
        ("new_variant", "first request for a day with variant canary"),
        ("replica_gone", "replica p was heard last"),
        ("replica_came", "replica q came"),
        ("model", "replica r: model a became b"),
        ("config_hash", "replica r: its configuration changed"),
        ("deploy", "deploy chat v2 by ci (x)"),
    ] == [(one["kind"], one["words"]) for one in items(part)]
    assert part.words.startswith("00:59:59 UTC (0 min before): scale; 00:58:20 UTC (1 min before): first request")
    assert part.words.endswith("; 4 more")


def test_changes_of_one_instant_have_one_order() -> None:
    of = [Change(at_ms=1, kind=kind, words=kind) for kind in "abc"]

    assert explain_around.changes(of, 1) == explain_around.changes(of[::-1], 1)
    assert explain_around.changes([], 1).words == "none known in the last 60 min"
