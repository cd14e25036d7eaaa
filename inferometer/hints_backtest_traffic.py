"""Knows how traces and recorded requests become cases to replay; refuses to replay them.

A trace is read by its format, or by what its first line looks like. A load test of one simulated replica with the first
requests of it stands for the one that a user has made.

Source: spec/scaling.md 7 (traces); spec/loadtest.md 10 (formats), 19 (scaling profile).
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain, islice
from pathlib import Path

import msgspec

from inferometer.errors import ConfigurationError
from inferometer.hints_backtest_case import Case, mix_of
from loadtest import servegen
from loadtest.errors import LoadError, TraceError
from loadtest.fleet.engine import Engine
from loadtest.fleet.load_test import Goodput, goodput
from loadtest.fleet.requests import Request
from loadtest.fleet.spec import FleetSpec
from loadtest.fleet.traffic import lengths, of_clients, of_plan, of_rows
from loadtest.plan_spec import Lognormal, PlanSpec, Separate, TraceFormat, TraceSpec
from loadtest.scaling_profile import Limits, ScalingProfile
from loadtest.trace_formats import TraceRow, of_store
from loadtest.traces import built, digest, first_line, windows
from slo.scaling.capacity import Mix
from slo.scaling.shape import shape
from telemetry.queries.asked import Asked, Dim
from telemetry.queries.question import Question
from telemetry.queries.replayed import REPLAYED_MAX, replayed

REQUESTS_MAX = 20e6
"""Most requests that are drawn from rates."""
BODY = 3_000
"""Requests whose lengths the load test uses."""
H100_TP4 = Engine(
    alpha_s=0.0214,
    beta_s=0.000484,
    gamma_s=0.0,
    prefill_s=1 / 9000,
    hidden_s=0.0214,
    kv_blocks=7_500,
    batched_tokens_max=512,
)
"""llama2-70b on four H100 (spec/scaling.md 5), where no profile is given."""
CHAT = Separate(
    tokens_in=Lognormal(median=1020, sigma=0.602, low=1, high=32_000),
    tokens_out=Lognormal(median=129, sigma=0.661, low=1, high=8_000),
)
"""Lengths where a trace does not say them: median and p99 of the Azure conversation trace."""

PROFILE_BYTES_MAX = 16 << 20
"""Longest scaling profile."""


class Key(StrEnum):
    """What of a replay may be wrong, by the option that says it."""

    POLICY = "--policy"
    RECORDED = "--recorded"
    LIMITS = "--ttft-max, --tpot-max, --goodput"


class ReplayError(ConfigurationError):
    """What is asked for cannot be replayed.

    Attributes:
        key: What is wrong.
        text: What was found and what is allowed.
    """

    def __init__(self, key: Key, text: str) -> None:
        """Keep both."""
        super().__init__(f"{key}: {text}")
        self.key, self.text = key, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Recorded requests, at least one.

    Attributes:
        name: Of the endpoint.
        rows: In the order of their arrival, on the wall clock.
    """

    name: str
    rows: Sequence[TraceRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """A trace.

    Attributes:
        path: Its file.
        kind: Its format.
        start_s: Where on its clock it begins.
        scale: Copies that are laid over each other; below 1 a share of the rows.
        seconds: Longest part that is replayed; None all of it.
    """

    path: Path
    kind: TraceFormat
    start_s: float = 0.0
    scale: float = 1.0
    seconds: float | None = None


def kind_of(path: Path) -> TraceFormat:
    """Return the format of a trace, by what its first line looks like.

    Raises:
        ConfigurationError: It cannot be read, or looks like none.
    """
    if path.is_dir():
        return TraceFormat.SERVEGEN
    try:
        line = first_line(path)
    except TraceError as error:
        raise ConfigurationError(f"--trace: {error}") from None
    for kind, words in _LOOKS.items():
        if all(word in line for word in words):
            return kind
    if line.count(",") in {5, 6} and line.split(",")[-2].strip()[:1] in {*"0123456789.", ""}:
        return TraceFormat.SERVEGEN
    raise ConfigurationError(f"--format: found a trace that begins {line[:60]!r}; allowed: {', '.join(TraceFormat)}")


_LOOKS = {
    TraceFormat.AZURE: ("TIMESTAMP", "ContextTokens"),
    TraceFormat.MOONCAKE: ('"hash_ids"',),
    TraceFormat.VIDUR: ("arrived_at", "num_prefill_tokens"),
    TraceFormat.BURSTGPT: ("Timestamp", "Request tokens"),
    TraceFormat.STORE: ('"t_ns"',),
}


def engine_of(path: Path | None) -> Engine:
    """Return the engine of a file's scaling profile; without one that of four H100.

    Raises:
        ConfigurationError: It cannot be read, or does not say how fast the engine is.
    """
    if path is None:
        return H100_TP4
    try:
        return engine_told(path.read_bytes() if path.stat().st_size <= PROFILE_BYTES_MAX else b"")
    except OSError as error:
        raise ConfigurationError(f"--profile: {path}: {error}; allowed: a scaling profile") from None
    except ValueError as error:
        raise ConfigurationError(f"--profile: {path}: {error}") from None


def engine_told(profile_json: bytes | str) -> Engine:
    """Return the engine that a scaling profile tells of.

    Raises:
        ValueError: It is none, or does not say how fast the engine is.
    """
    try:
        profile = msgspec.json.decode(profile_json, type=ScalingProfile)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{error}; allowed: a scaling profile") from None
    if not profile.prefill_tokens_per_s or not profile.step_alpha_us or profile.step_beta_us is None:
        raise ValueError("found no step model; allowed: a profile with one")
    tokens, seqs = profile.kv_capacity_tokens or H100_TP4.kv_tokens, profile.max_num_seqs or H100_TP4.seqs_max
    return Engine(
        alpha_s=profile.step_alpha_us / 1e6,
        beta_s=profile.step_beta_us / 1e6,
        gamma_s=(profile.step_gamma_us or 0.0) / 1e6,
        prefill_s=1 / profile.prefill_tokens_per_s,
        hidden_s=profile.step_alpha_us / 1e6,
        kv_blocks=max(tokens // H100_TP4.block_tokens, 1),
        seqs_max=seqs,
        batched_tokens_max=max(H100_TP4.batched_tokens_max, seqs),
    )


Test = tuple[Goodput, Mix]
"""What a load test found, and with which requests."""


def case_of(trace: Traced, fleet: FleetSpec, gpus: int, seed: int, test: Test | None = None) -> Case:
    """Return a trace as a case.

    Args:
        trace: Which.
        fleet: Engine, objective, balancer, faults.
        gpus: Of each replica.
        seed: Of shifts and arrivals.
        test: A load test; None makes one.

    Raises:
        ConfigurationError: It cannot be read.
        ReplayError: No rate keeps the objective.
    """
    try:
        if trace.kind is TraceFormat.SERVEGEN:
            return _of_rates(trace, fleet, gpus, seed, test)
        spec = TraceSpec(format=trace.kind, sha256=digest(trace.path), scale=trace.scale, start_s=trace.start_s)
        plan = PlanSpec(seed=seed, trace=spec, duration_s=trace.seconds)
        parts = list(of_plan(built(plan, str(trace.path))))
    except (LoadError, ValueError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"--trace: {error}") from None
    return with_test(trace.path.name, fleet, gpus, parts, test)


def _of_rates(trace: Traced, fleet: FleetSpec, gpus: int, seed: int, test: Test | None) -> Case:
    """Return ServeGen's clients as a case, their rates multiplied by the scale; the days before give the shape."""
    clients = windows(trace.path)
    totals = dict[int, float]()
    for spans in clients.values():
        for span in spans:
            totals[int(span.start_s)] = totals.get(int(span.start_s), 0.0) + span.rate * trace.scale
    until_s = max(totals) + servegen.WINDOW_S if trace.seconds is None else trace.start_s + trace.seconds
    inside = sum(rate for at_s, rate in totals.items() if trace.start_s <= at_s < until_s) * servegen.WINDOW_S
    if not 0 < inside <= REQUESTS_MAX:
        raise TraceError(f"found {inside:.3g} requests, allowed 1 to {REQUESTS_MAX:.3g}: see --scale, --start, --for")
    span_s = (trace.start_s, float(until_s))
    parts = list(of_clients(clients, lengths(CHAT, seed), seed, scale=trace.scale, span_s=span_s))
    begun = with_test(trace.path.name, replace(fleet, start_unix_s=trace.start_s), gpus, parts, test)
    return replace(begun, shape=shape(totals, trace.start_s))


def stored(
    ask: Callable[[Question], Iterable[Mapping[str, object]]],
    endpoint: str,
    model: str,
    window_ms: tuple[int, int],
    most: int = REPLAYED_MAX - 1,
) -> Recorded:
    """Return what is stored of an endpoint's requests.

    Args:
        ask: Asks the store.
        endpoint: Whose requests.
        model: Only those of this model, and those that name none; empty: all.
        window_ms: Start and end, unix milliseconds; a request belongs to it by its end.
        most: Requests, below `REPLAYED_MAX`.

    Raises:
        ReplayError: There is no request, or there are more.
    """
    where = {Dim.ENDPOINT: (endpoint,)} | ({Dim.MODEL: (model, "")} if model else {})
    question = replayed(Asked(since_ms=window_ms[0], until_ms=window_ms[1], where=where), most + 1)
    rows = list(of_store(ask(question)))
    if not rows:
        raise ReplayError(Key.RECORDED, f"found no request of {endpoint!r} in that time; allowed: one or more")
    if len(rows) > most:
        said = f"found more than {most} requests of {endpoint!r} in that time; allowed: a shorter one"
        raise ReplayError(Key.RECORDED, said)
    return Recorded(name=endpoint, rows=rows)


def recorded(of: Recorded, fleet: FleetSpec, gpus: int, seed: int, test: Test | None = None) -> Case:
    """Return recorded requests as a case; lengths that are unknown are drawn.

    Args:
        of: The requests.
        fleet: As of `case_of`.
        gpus: The same.
        seed: Of lengths.
        test: As of `case_of`.

    Raises:
        ReplayError: No rate keeps the objective.
    """
    first_ns = of.rows[0].t_ns
    moved = (replace(one, t_ns=one.t_ns - first_ns) for one in of.rows)
    parts = list(of_rows(moved, lengths(CHAT, seed)))
    start_s = float(math.floor(first_ns / 1e9))
    return with_test(of.name, replace(fleet, start_unix_s=start_s), gpus, parts, test)


def with_test(
    name: str, fleet: FleetSpec, gpus: int, parts: Sequence[Sequence[Request]], test: Test | None = None
) -> Case:
    """Return traffic as a case, with the load test of one replica.

    Raises:
        ReplayError: No rate keeps the objective.
    """
    shares_beginnings = any(request[3] is not None and request[3].prefix for part in parts[:1] for request in part)
    caching = replace(fleet, is_caching=fleet.is_caching or shares_beginnings)
    if test is not None:
        return Case(name=name, fleet=caching, gpus=gpus, parts=parts, goodput=test[0], mix=test[1])
    body = list(islice(chain.from_iterable(parts), BODY))
    carried = goodput(caching, body, 1.0)
    if carried is None:
        said = f"found no rate at which a replica keeps {kept_of(fleet.limits)} for such requests"
        raise ReplayError(Key.LIMITS, f"{said}; allowed: wider objectives, or a faster engine")
    return Case(name=name, fleet=caching, gpus=gpus, parts=parts, goodput=carried, mix=mix_of(body))


def kept_of(limits: Limits) -> str:
    """Return an objective in words."""
    first, later = limits.ttft_s, limits.tpot_s
    words = [*([] if first is None else [f"{first} s"]), *([] if later is None else [f"{later} s a token"])]
    return f"{limits.target:.1%} within {' and '.join(words) or 'any time'}"
