"""One request, judged in Python; test_objective holds the store to it."""

from random import Random

import pytest
from expression_cases import request
from msgspec.structs import replace

from slo.expression import parse
from slo.judging import Truth, Verdict, figure, judged, stored, verdict
from slo.templates import TEMPLATES, good
from telemetry.outcome import Eligibility, Outcome, Phase
from telemetry.queries.bounds import Figure, Flag, Word

BASE = replace(
    request(Random(1), 0),  # noqa: S311 -- seeded
    outcome=Outcome.OK,
    eligible=Eligibility.GOOD,
    phase=Phase.DONE,
    elapsed_us=3_000_000,
    ttft_us=1_000_000,
    e2e_us=3_000_000,
    tpot_us=None,
    icl_max_us=500_000,
    open_gap_us=2_000_000,
    tokens_in=8_000,
    tokens_out=20,
    srv_queue_us=None,
    model="m",
    finish_reason="",
    stream=1,
)
GOOD, BAD, LEFT = Eligibility.GOOD, Eligibility.BAD, Eligibility.CENSORED


@pytest.mark.parametrize(
    ("text", "class_", "expected"),
    [
        ("ok and complete and stream and true", GOOD, True),
        ("ok", BAD, False),
        ("ok", LEFT, None),
        ("not ok", LEFT, None),
        ("ok or ttft_s < 2", LEFT, True),
        ("ok and ttft_s > 2", LEFT, False),
        ("ttft_s <= 1.0 + 0.0002*tokens_in", GOOD, True),
        ("tpot_s > 1", GOOD, True),
        ("srv_queue_s < 1", GOOD, False),
        ("srv_queue_s + tpot_s < 1", GOOD, False),
        ("coalesce(srv_queue_s, 0.5) < 1", GOOD, True),
        ("gap_max_s == 2", GOOD, True),
        ("gap_max_s != 2", GOOD, False),
        ("gap_max_s <= 2", LEFT, None),
        ("gap_max_s < 2", LEFT, False),
        ("gap_max_s > 1", LEFT, True),
        ("e2e_s >= 3", LEFT, True),
        ("e2e_s <= 99", BAD, False),
        ("e2e_s - ttft_s <= 1", BAD, False),
        ("e2e_s - e2e_s <= 1", BAD, None),
        ("e2e_s in (3)", LEFT, None),
        ("elapsed_s == 3", BAD, True),
        ("-2 * elapsed_s < -5", BAD, True),
        ("min(elapsed_s, 1) == 1 and max(elapsed_s, 9) == 9", BAD, True),
        ("tokens_out in (20)", BAD, True),
        ("elapsed_s == e2e_s", LEFT, None),
        ("max(srv_queue_s, 1) == 1", GOOD, False),
        ("tokens_out >= 20", LEFT, True),
        ("tokens_out <= 20", LEFT, None),
        ("http_status in (200, 0, 500)", LEFT, True),
        ("model == 'm' and model != 'n' and model in ('m', 'x')", LEFT, True),
        ("outcome == 'ok'", LEFT, None),
        ("outcome == 'ok'", BAD, True),
        ("finish_reason in ('stop')", LEFT, None),
        ("phase == 'done'", LEFT, True),
    ],
)
def test_a_condition_is_judged_as_far_as_it_can_be_known(text: str, class_: Eligibility, expected: Truth) -> None:
    assert expected is judged(parse(text), BASE, class_)


@pytest.mark.parametrize(
    ("waited_s", "bytes_in", "phase", "expected"),
    [
        (12.0, 2_000, Phase.QUEUED, False),  # A11: 2,000 bytes are at most 2,000 tokens, which may take 1.4 s
        (1.5, 2_000, Phase.QUEUED, False),
        (1.4, 2_000, Phase.QUEUED, None),
        (1.0, 2_000, Phase.QUEUED, None),
        (6.9, 30_000, Phase.QUEUED, None),  # as many tokens may take 7 s
        (7.1, 30_000, Phase.QUEUED, False),
        (12.0, 0, Phase.QUEUED, None),  # nobody counted its bytes
        (12.0, 2_000, Phase.CONNECT, None),  # nobody knows how many would have followed
    ],
)
def test_who_left_without_a_token_had_a_prompt_no_longer_than_its_bytes(
    waited_s: float, bytes_in: int, phase: Phase, expected: Truth
) -> None:
    left = replace(
        BASE, outcome=Outcome.CLIENT_CANCELLED, eligible=LEFT, phase=phase, tokens_in=None, ttft_us=None, e2e_us=None,
        elapsed_us=round(waited_s * 1e6), bytes_in=bytes_in, icl_max_us=None, open_gap_us=None,
    )  # fmt: skip
    condition = good(TEMPLATES["endpoint_good_request"], {})

    assert condition is not None
    assert judged(condition, left, LEFT) is expected


def test_what_was_stored_holds_or_does_not() -> None:
    left = replace(BASE, outcome=Outcome.CLIENT_CANCELLED, eligible=LEFT, e2e_us=None)

    assert stored(parse("outcome == 'client_cancelled' and not ok and tpot_s < 1"), left)
    assert not stored(parse("e2e_s < 9"), left)


def test_a_verdict_needs_no_condition() -> None:
    told = [verdict(None, BASE, class_) for class_ in (GOOD, BAD, LEFT, Eligibility.EXCLUDED)]

    assert [Verdict.GOOD, Verdict.BAD, Verdict.EXCLUDED, Verdict.EXCLUDED] == told
    assert verdict(parse("true"), BASE, Eligibility.EXCLUDED) is Verdict.EXCLUDED


def test_every_name_is_one_of_a_request() -> None:
    for name in Figure:
        assert isinstance(figure(name, BASE), float | None)
    for name in (*Word, *Flag):
        assert hasattr(BASE, name.value)
    assert (2.0, None) == (
        figure(Figure.GAP_MAX_S, BASE),
        figure(Figure.GAP_MAX_S, replace(BASE, icl_max_us=0, open_gap_us=None)),
    )
