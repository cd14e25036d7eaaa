"""Knows what a run reached of what its setup can give at most, and at which wall; refuses to judge the run by it.

    at most   the roofline of the mix as it came, with the largest batch that setup and users allow
    percent   measured output over it: of a run whose rate is low, that is little and no fault
    wall      the client, if it was not fit; the scheduler, if a step of few requests takes longer than modelled; else
              what limits the roofline
    fitted    of one request at a time: MBU from the time per token, MFU from two lengths of prompts; a share that is
              not within (0, 1] shows that the facts are wrong, and the value from before stays

Source: spec/loadtest.md 15.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median

import msgspec

from loadtest.roofline import REMEDIES, Mix, Setup, Wall, expected, fitted_mbu, fitted_mfu, measured_wall
from telemetry.record import RequestRecord

ALONE_IN_FLIGHT = 1.1
"""Mean requests in flight up to which a run counts as one request at a time."""
LENGTHS_RATIO = 2.0
"""Longest over shortest prompts from which two lengths say something of the arithmetic."""
_US = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """Requests that were served one at a time; None is not known.

    Attributes:
        tokens_in: Tokens of a prompt that no cache held.
        ttft_s: Median time to the first token.
        held_tokens: Mean tokens that a request held while it decoded.
        tpot_s: Median time per output token.
    """

    tokens_in: float
    ttft_s: float | None
    held_tokens: float | None
    tpot_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a run showed; None is not known.

    Attributes:
        tokens_in: Mean prompt.
        tokens_out: Mean answer.
        tokens_out_per_s: Output tokens a second.
        in_flight: Mean requests at a time.
        tpot_s: Median time per output token.
        users: Of a closed loop; None in an open one.
        is_fit: Whether the client was proven not to be the limit.
    """

    tokens_in: float
    tokens_out: float
    tokens_out_per_s: float | None
    in_flight: float | None
    tpot_s: float | None
    users: int | None
    is_fit: bool


class Achieved(msgspec.Struct, frozen=True, kw_only=True):
    """What a run reached.

    Attributes:
        tokens_out_per_s_max: What the setup can give of this mix.
        percent: What was measured of it; None if no token was.
        wall: What limits it.
        remedy: What helps.
        kv_batch: Requests that the KV cache holds.
        batch: Requests of a step at most.
        step_s: Time of such a step; None if not one request fits.
        prefill_s: Time of a prompt.
        mbu: Share of the bandwidth that is reached.
        mfu: Share of the arithmetic.
        fitted: Which of the two were measured, and not assumed.
    """

    tokens_out_per_s_max: float
    percent: float | None
    wall: Wall
    remedy: str
    kv_batch: int
    batch: int
    step_s: float | None
    prefill_s: float
    mbu: float
    mfu: float
    fitted: tuple[str, ...]


def achieved(setup: Setup, seen: Seen, alone: Sequence[Alone] = ()) -> Achieved:
    """Return what a run reached.

    Args:
        setup: As served.
        seen: The run.
        alone: What requests one at a time showed, shortest prompts first.
    """
    known, names = fitted(setup, alone)
    mix = Mix(tokens_in=seen.tokens_in, tokens_out=seen.tokens_out, concurrency=seen.users)
    most = expected(known, mix)
    batch = seen.in_flight or 0.0
    few = expected(known, replace(mix, concurrency=max(1, round(batch))))
    shown = measured_wall(few, step_s=seen.tpot_s, batch=batch, is_fit=seen.is_fit)
    wall = shown if shown in {Wall.CLIENT, Wall.SCHEDULER} else most.wall
    rate = seen.tokens_out_per_s
    return Achieved(
        tokens_out_per_s_max=most.tokens_out_per_s,
        percent=None if rate is None or not most.tokens_out_per_s else 100 * rate / most.tokens_out_per_s,
        wall=wall,
        remedy=REMEDIES[wall],
        kv_batch=most.kv_batch,
        batch=most.batch,
        step_s=most.step_s,
        prefill_s=most.prefill_s,
        mbu=known.mbu,
        mfu=known.mfu,
        fitted=names,
    )


def fitted(setup: Setup, alone: Sequence[Alone]) -> tuple[Setup, tuple[str, ...]]:
    """Return a setup with the shares that requests one at a time showed, and the names of those.

    Args:
        setup: As served.
        alone: Shortest prompts first; one length says nothing of the arithmetic, none nothing at all.
    """
    found: dict[str, float | None] = {"mbu": None, "mfu": None}
    if alone and alone[-1].tpot_s and alone[-1].held_tokens is not None:
        found["mbu"] = fitted_mbu(setup, alone[-1].held_tokens, alone[-1].tpot_s)
    if len(alone) > 1 and alone[0].ttft_s is not None and alone[-1].ttft_s is not None:
        short, long = ((one.tokens_in, one.ttft_s or 0.0) for one in (alone[0], alone[-1]))
        found["mfu"] = fitted_mfu(setup, short, long) if long[0] >= LENGTHS_RATIO * short[0] else None
    kept = {name: share for name, share in found.items() if share is not None and 0 < share <= 1}
    return replace(setup, mbu=kept.get("mbu", setup.mbu), mfu=kept.get("mfu", setup.mfu)), tuple(kept)


def one_at_a_time(records: Iterable[RequestRecord], in_flight: float | None) -> list[Alone]:
    """Return what good answers show of requests one at a time: those with shorter and those with longer prompts.

    Args:
        records: Good answers.
        in_flight: Mean requests at a time; None if unknown.

    Returns:
        Shorter ones first; one element if all prompts are alike, none if requests shared the engine.
    """
    if in_flight is None or in_flight > ALONE_IN_FLIGHT:
        return []
    known = sorted((one for one in records if one.tokens_in and one.tokens_out), key=lambda one: one.tokens_in or 0)
    if not known:
        return []
    half = len(known) // 2
    if (known[-1].tokens_in or 0) < LENGTHS_RATIO * (known[0].tokens_in or 0) or not half:
        return [_alone(known)]
    return [_alone(known[:half]), _alone(known[half:])]


def _alone(records: Sequence[RequestRecord]) -> Alone:
    return Alone(
        tokens_in=fmean(one.tokens_in or 0 for one in records),
        ttft_s=_median_s([one.ttft_us for one in records]),
        held_tokens=fmean((one.tokens_in or 0) + (one.tokens_out or 0) / 2 for one in records),
        tpot_s=_median_s([one.tpot_us for one in records]),
    )


def _median_s(values: Sequence[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) / _US if known else None
