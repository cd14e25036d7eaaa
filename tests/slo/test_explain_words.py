"""What was found out, in words and as facts."""

import json
from collections.abc import Mapping
from uuid import UUID

import pytest
from explain_rig import items

from slo import explain_words
from slo.explain_words import DETAIL_BYTES_MAX, LISTED_MAX, NAME_CHARACTERS_MAX, NAMED_MAX, clean, detail
from telemetry.queries.bad_events import PHASES


def counts(**known: int) -> dict[str, int]:
    return {"n": 200, "bad": 25, "bad_http": 3, "tenants": 0, "tenants_hit": 0} | known


@pytest.mark.parametrize(
    ("row", "overdue", "words"),
    [
        pytest.param(counts(), 0, "25 of 200 requests of the last 5m were bad (12.5 %)", id="a share"),
        pytest.param(
            counts(n=0, bad=0), 7, "0 of 0 requests of the last 5m were bad; 7 wait for too long now", id="a stall"
        ),
        pytest.param(
            counts(tenants=4, tenants_hit=1),
            0,
            "25 of 200 requests of the last 5m were bad (12.5 %); 1 of 4 tenants were hit",
            id="tenants",
        ),
    ],
)
def test_impact(row: Mapping[str, int], overdue: int, words: str) -> None:
    part = explain_words.impact(row, 300, overdue)

    assert part.words == words
    assert part.facts == {**row, "overdue": overdue, "ratio": row["bad"] / row["n"] if row["n"] else None}


def ending(outcome: str, n: int, phase: str = "streaming", in_stream: int = 0) -> dict[str, object]:
    return {"outcome": outcome, "phase": phase, "in_stream": in_stream, "n": n}


def test_error_classes_say_how_far_a_request_came() -> None:
    rows = [ending("ok", 5, "done"), ending("stream_error", 3, in_stream=1), ending("oom", 2, "queued")]
    many = [ending(f"x{at}", 1) for at in range(LISTED_MAX + 1)]
    part = explain_words.error_classes(many)

    assert explain_words.error_classes(rows).words == (
        "answered, but outside the objective: 5 (50 %); stream_error, streaming, inside a 200 answer: 3 (30 %);"
        " oom, queued: 2 (20 %)"
    )
    assert part.words.endswith(f"; {LISTED_MAX + 1 - NAMED_MAX} more")
    assert len(items(part)) == LISTED_MAX


def medians(who: str, **known_us: int) -> dict[str, object]:
    return {"who": who, "n": 9, **{f"{name}_us": known_us.get(name) for name in PHASES}}


@pytest.mark.parametrize(
    ("bad", "usual", "words"),
    [
        pytest.param(
            {"first_output": 4_200_000, "queue": 4_000_000, "prefill": 150_000},
            {"first_output": 230_000, "queue": 100_000, "prefill": 100_000},
            "medians: to the first output 4.2 s (usually 230 ms); queue 4 s (usually 100 ms);"
            " prefill 150 ms (usually 100 ms). Grew most: queue",
            id="the part that grew, not the whole that holds it",
        ),
        pytest.param(
            {"decode": 9_000_000, "stall": 8_000_000},
            {"decode": 1_500_000, "stall": 1_000_000},
            "medians: decode 9 s (usually 1.5 s); stalls 8 s (usually 1 s). Grew most: stalls",
            id="stalls within decode",
        ),
        pytest.param(
            {"first_output": 2_000_000},
            {"first_output": 100_000},
            "medians: to the first output 2 s (usually 100 ms). Grew most: to the first output",
            id="the whole, if the engine says nothing of its parts",
        ),
        pytest.param(
            {"no_output": 30_000_000, "decode": 1_000_000},
            {"decode": 2_000_000},
            "medians: waited in vain for output 30 s (usually none); decode 1 s (usually 2 s)",
            id="what usually does not happen, and nothing that grew",
        ),
        pytest.param({"decode": 5}, None, "medians: decode 0.005 ms (nothing to compare with)", id="no week before"),
        pytest.param({}, None, "no time of a bad request is known", id="nothing"),
    ],
)
def test_phases(bad: Mapping[str, int], usual: Mapping[str, int] | None, words: str) -> None:
    rows = [medians("bad", **bad), *([medians("usual", **usual)] if usual else [])]

    assert explain_words.phase_split(rows).words == words


def exemplar(number: int, **places: int) -> dict[str, object]:
    plain = {"worst": 9, "typical": 9, "newest": 9, "elapsed_us": 9_000_000, "outcome": "oom", "replica": "r"}
    return {"record_id": UUID(int=number), "trace_id": None, "t_unix_ms": 99_000, **plain, **places}


def test_three_exemplars_are_three_requests_if_there_are_three() -> None:
    rows = [
        exemplar(1, worst=1, typical=1, newest=1),
        exemplar(2, worst=2, typical=2, newest=3),
        exemplar(3, worst=3, typical=3, newest=2),
    ]
    part = explain_words.exemplars(rows, 100)

    assert [("worst", 1), ("typical", 2), ("newest", 3)] == [
        (one["kind"], UUID(one["record_id"]).int) for one in items(part)
    ]
    assert part.words.startswith(f"worst {UUID(int=1)}: oom after 9 s on replica r; typical ")
    assert explain_words.exemplars(rows[:1], 100).words == f"worst {UUID(int=1)}: oom after 9 s on replica r"
    assert "(trace ab)" in explain_words.exemplars([exemplar(1) | {"trace_id": "ab"}], 100).words


def test_a_name_is_cut_at_its_bound_and_stays_printable() -> None:
    assert clean("x" * NAME_CHARACTERS_MAX) == "x" * NAME_CHARACTERS_MAX
    assert clean("x" * (NAME_CHARACTERS_MAX + 1)) == "x" * NAME_CHARACTERS_MAX + "…"
    assert clean("a\n\u202e\0ä😀") == "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}ä😀"


def test_facts_lose_the_ends_of_their_longest_lists() -> None:
    short = {"at": 1, "gpu": ["x"]}
    room = DETAIL_BYTES_MAX - len(detail({"gpu": [""]}))
    cut = json.loads(detail({"at": 1, "gpu": ["g" * 100] * 80, "engine": ["e"], "gaps": ()}))

    assert json.loads(detail(short)) == {"at": 1, "gpu": ["x"], "cut": 0}
    assert len(detail({"gpu": ["x" * room]})) == DETAIL_BYTES_MAX
    assert json.loads(detail({"gpu": ["x" * (room + 1)]})) == {"gpu": [], "cut": 1}
    assert cut["engine"] == ["e"]
    assert len(cut["gpu"]) + cut["cut"] == 80
    assert json.loads(detail({"text": "x" * DETAIL_BYTES_MAX})) == {"cut": 1}
