"""Knows the traffic of `benchmarks.scaling`, one case for each trace and seed; refuses to know policies.

    azure       the hour of code completion four times over, copies shifted by up to 60 s; two such hours
    mooncake    its 17 minutes three times, each with shifts of its own; prompts share beginnings
    servegen    eight hours of m-small, from day 8 to 14 for reports and from day 2 to 7 for tuning; rates multiplied so
                that the busiest ten minutes of both weeks need 8 replicas. Thinned: 16 replicas and whole days take six
                times as long

One engine serves all: llama2-70b on four H100 (spec/scaling.md 5: T(32) 36.9 ms, 9,000 prompt tokens a second), with
512 tokens in a step, because a larger chunk stops those that decode for longer than their objective. Its cache is what
is left of 4 x 80 GB x 0.9 beside 140 GB of weights, at 327,680 bytes a token (80 layers, 8 heads of keys and values,
128 wide, 2 bytes).

Source: spec/scaling.md 7; shared traces, not part of the project: SCALING_DATA names their folder.
"""

import gzip
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import chain
from pathlib import Path

from inferometer.hints_backtest_case import Case, mix_of
from inferometer.hints_backtest_traffic import CHAT
from loadtest import servegen
from loadtest.fleet.engine import Engine
from loadtest.fleet.load_test import goodput
from loadtest.fleet.requests import Request
from loadtest.fleet.spec import FleetSpec
from loadtest.fleet.traffic import lengths, of_clients, of_plan
from loadtest.plan_spec import PlanSpec, TraceFormat, TraceSpec
from loadtest.scaling_profile import Limits
from loadtest.traces import built, digest
from slo.scaling.shape import shape

DATA = Path(os.environ.get("SCALING_DATA", Path(__file__).parents[2] / "shared" / "data"))
GPUS = 4
H100_TP4 = Engine(
    alpha_s=0.0214,
    beta_s=0.000484,
    gamma_s=0.0,
    prefill_s=1 / 9000,
    hidden_s=0.0214,
    kv_blocks=28_000,
    seqs_max=256,
    batched_tokens_max=512,
)
CHAT_LIMITS = Limits(ttft_s=2.0, tpot_s=0.1, target=0.99)
LONG_LIMITS = Limits(ttft_s=30.0, tpot_s=0.1, target=0.99)
"""Of prompts of up to 191,378 tokens, which take 21 s to read."""
SERVEGEN_REPLICAS = 8
HOURS = 8
FILES = {
    "azure": "azure_code.csv",
    "mooncake": "mooncake_synthetic.jsonl",
    "servegen": "servegen_m_small.csv.gz",
}
TRACES = tuple(FILES)

_DAY_S, _HOUR_S = 86_400, 3_600
_WEEK = 7
_BODY = 3_000
"""Requests whose lengths the load test uses."""


def found() -> list[str]:
    """Return the traces that are there."""
    return [name for name, file in FILES.items() if (DATA / file).exists()]


def case(trace: str, seed: int, *, tuning: bool = False, replicas: int = SERVEGEN_REPLICAS, hours: int = HOURS) -> Case:
    """Return what is replayed.

    Args:
        trace: Of `TRACES`.
        seed: Of shifts and arrivals; of ServeGen also which day and hours.
        tuning: Whether days 2 to 7 of ServeGen are meant, not 8 to 14; the others have no days.
        replicas: What the busiest ten minutes of ServeGen need.
        hours: Of ServeGen.
    """
    if trace == "servegen":
        return _servegen(seed, tuning=tuning, replicas=replicas, hours=hours)
    if trace == "azure":
        return _rows(TraceFormat.AZURE, trace, seed, (4.0, 2), CHAT_LIMITS)
    return _rows(TraceFormat.MOONCAKE, trace, seed, (1.0, 3), LONG_LIMITS)


def _rows(kind: TraceFormat, trace: str, seed: int, times: tuple[float, int], limits: Limits) -> Case:
    scale, passes = times
    path = DATA / FILES[trace]
    parts = list[Sequence[Request]]()
    begins_s = 0.0
    for number in range(passes):
        once = list(chain.from_iterable(_plan(kind, path, seed * passes + number, scale)))
        parts.append([(request[0] + begins_s, *request[1:]) for request in once])
        begins_s = parts[-1][-1][0]
    body = [request for part in _plan(kind, path, 0, 1.0) for request in part][:_BODY]
    fleet = FleetSpec(engine=H100_TP4, replicas=1, limits=limits, is_caching=kind is TraceFormat.MOONCAKE)
    return _tested(trace, fleet, body, parts)


def _tested(trace: str, fleet: FleetSpec, body: Sequence[Request], parts: Sequence[Sequence[Request]]) -> Case:
    carried = goodput(fleet, body, 1.0)
    if carried is None:
        raise ValueError(f"found no rate at which a replica keeps the objective of {trace}, allowed: one")
    return Case(name=trace, fleet=fleet, gpus=GPUS, parts=parts, goodput=carried, mix=mix_of(body))


def _plan(kind: TraceFormat, path: Path, seed: int, scale: float) -> Iterable[Sequence[Request]]:
    spec = PlanSpec(seed=seed, trace=TraceSpec(format=kind, sha256=digest(path), scale=scale))
    return of_plan(built(spec, str(path)))


@cache
def _clients() -> dict[str, list[servegen.Window]]:
    with gzip.open(DATA / FILES["servegen"], "rt") as lines:
        return servegen.clients(lines)


def _totals() -> dict[int, float]:
    totals = defaultdict[int, float](float)
    for spans in _clients().values():
        for span in spans:
            totals[int(span.start_s)] += span.rate
    return totals


def _servegen(seed: int, *, tuning: bool, replicas: int, hours: int) -> Case:
    body = list(_bodies(seed=0))
    fleet = FleetSpec(engine=H100_TP4, replicas=1, limits=CHAT_LIMITS)
    test = _tested("servegen", fleet, body, [])
    totals = _totals()
    scale = replicas * test.goodput.rps / max(totals.values())
    day = 1 + seed % (_WEEK - 1) if tuning else _WEEK + seed % _WEEK
    begins_s = day * _DAY_S + seed * HOURS % 24 * _HOUR_S
    span_s = (float(begins_s), float(begins_s + hours * _HOUR_S))
    past = {at_s: rate * scale for at_s, rate in totals.items()}
    return replace(
        test,
        fleet=replace(fleet, start_unix_s=float(begins_s)),
        parts=list(of_clients(_clients(), lengths(CHAT, seed), seed, scale=scale, span_s=span_s)),
        shape=shape(past, begins_s),
    )


def _bodies(seed: int) -> Iterator[Request]:
    for tokens_in, tokens_out in lengths(CHAT, seed)(_BODY):
        yield 0.0, tokens_in, tokens_out, None
