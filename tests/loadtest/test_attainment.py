"""Whether a request met its objectives: every cell of the table of spec/measurement.md 10, and case 17.9."""

from uuid import UUID

import pytest

from loadtest.attainment import TOKENS_LEAST, Part, meets, parts
from loadtest.plan_spec import Objectives
from telemetry.outcome import Eligibility, Flag, Outcome
from telemetry.outcome import Phase as Reached
from telemetry.record import RequestRecord

LIMITS = Objectives(ttft_s=2, e2e_s=10, tpot_s=0.05, gap_s=1)
G, B, X = True, False, None


def seen(  # what a client saw, in seconds; None is not seen
    outcome: Outcome,
    *,
    elapsed: float = 1.0,
    ttft: float | None = None,
    tpot: float | None = None,
    gap: float | None = None,
    open_gap: float | None = None,
    tokens: int | None = None,
    flags: int = 0,
) -> RequestRecord:
    def us(seconds: float | None) -> int | None:
        return None if seconds is None else round(seconds * 1e6)

    return RequestRecord(
        ended_at=1,
        elapsed_us=round(elapsed * 1e6),
        endpoint="e",
        model="m",
        record_id=UUID(int=1),
        outcome=outcome,
        phase=Reached.DONE,
        eligible=Eligibility.GOOD,
        flags=flags,
        e2e_us=us(elapsed) if outcome is Outcome.OK else None,
        ttft_us=us(ttft),
        tpot_us=us(tpot),
        icl_max_us=us(gap),
        open_gap_us=us(open_gap),
        tokens_out=tokens,
    )


OK, FAILED, LEFT = Outcome.OK, Outcome.STREAM_ERROR, Outcome.CLIENT_CANCELLED
LONG, SHORT = TOKENS_LEAST, TOKENS_LEAST - 1


@pytest.mark.parametrize(
    ("record", "ttft", "e2e", "tpot", "gap", "complete"),
    [
        pytest.param(seen(OK, ttft=2, elapsed=10, tpot=0.05, gap=1), G, G, G, G, G, id="ok, at every limit"),
        pytest.param(seen(OK, ttft=2.1, elapsed=10.1, tpot=0.06, gap=1.1), B, B, B, B, G, id="ok, beyond every limit"),
        pytest.param(seen(OK, ttft=1, elapsed=5), G, G, G, G, G, id="ok, one token"),
        pytest.param(seen(OK, elapsed=5), X, G, G, G, G, id="ok, not streamed"),
        pytest.param(seen(FAILED), B, B, X, X, B, id="failed before output"),
        pytest.param(
            seen(FAILED, ttft=1, tpot=0.04, gap=0.5, tokens=LONG), G, B, G, G, B, id="failed after much output"
        ),
        pytest.param(
            seen(FAILED, ttft=3, tpot=0.06, open_gap=2.0, tokens=LONG), B, B, B, B, B, id="failed after slow output"
        ),
        pytest.param(seen(FAILED, ttft=1, tpot=0.06, tokens=SHORT), G, B, X, X, B, id="failed after little output"),
        pytest.param(seen(Outcome.RATE_LIMITED), B, B, X, X, B, id="rate limited"),
        pytest.param(seen(Outcome.INVALID_REQUEST), B, B, X, X, B, id="our own mistake is no excuse"),
        pytest.param(seen(Outcome.CLIENT_LIMIT), B, B, X, X, B, id="shed"),
        pytest.param(seen(LEFT, elapsed=1), X, X, X, X, X, id="left before output, within the limits"),
        pytest.param(seen(LEFT, elapsed=3), B, X, X, X, X, id="left before output, beyond S"),
        pytest.param(seen(LEFT, elapsed=12), B, B, X, X, X, id="left before output, beyond E"),
        pytest.param(
            seen(LEFT, elapsed=5, ttft=1, tpot=0.04, gap=0.5, tokens=LONG), G, X, G, X, X, id="left after output"
        ),
        pytest.param(
            seen(LEFT, elapsed=12, ttft=1, tpot=0.06, open_gap=5.0, tokens=LONG), G, B, B, B, X, id="left a stall"
        ),
    ],
)
def test_every_ending(
    record: RequestRecord,
    ttft: bool | None,
    e2e: bool | None,
    tpot: bool | None,
    gap: bool | None,
    complete: bool | None,
) -> None:
    expected = {Part.TTFT: ttft, Part.E2E: e2e, Part.TPOT: tpot, Part.GAP: gap, Part.COMPLETE: complete}

    assert expected == parts(record, LIMITS)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        pytest.param(seen(OK, ttft=1, elapsed=5, tpot=0.04, gap=0.5), G, id="all kept"),
        pytest.param(seen(OK, ttft=1, elapsed=5, tpot=0.06, gap=0.5), B, id="one not kept"),
        pytest.param(seen(LEFT, elapsed=12), B, id="gave up after 12 s of 2 s"),
        pytest.param(seen(LEFT, elapsed=1), X, id="gave up after 1 s of 2 s"),
        pytest.param(seen(LEFT, elapsed=6, ttft=1, open_gap=5.0), B, id="gave up after 5 s of silence"),
        pytest.param(seen(OK, elapsed=5), X, id="not streamed"),
    ],
)
def test_all_of_them_together(record: RequestRecord, expected: bool | None) -> None:
    assert expected is meets(record, LIMITS)


def test_without_a_limit_an_answer_has_only_to_be_complete() -> None:
    assert {Part.COMPLETE: True} == parts(seen(OK, ttft=99, elapsed=99), Objectives())
    assert meets(seen(FAILED), Objectives()) is False


def test_what_was_cut_by_plan_says_nothing() -> None:
    cut = seen(LEFT, elapsed=12, flags=Flag.ABORTED_BY_PLAN)

    assert {None} == set(parts(cut, LIMITS).values())
    assert meets(cut, LIMITS) is None
