"""Load tests whose results are known: a search with a profile, and runs that are slower, or not, than one another."""

import json
from collections.abc import Sequence
from random import Random
from typing import Any

import msgspec
from panel_rig import END_MS
from query_store import Stored

from telemetry.ids import RANDOM_BITS, uuid7
from telemetry.outcome import Eligibility, Outcome
from telemetry.record import RequestRecord
from telemetry.testing.memory_store import sample_request

Json = dict[str, Any]
RATES = (1.0, 2.0, 4.1, 6.3, 8.0)
SEARCH, TARGET, COMPARED = "20261127-070000-ab", "tested", "compared"
START_S = END_MS // 1000 - 3_000
PER_S, SECONDS = 10, 300
"""Requests of a run: so many a second, for so long."""


def figures(ttft_s: float, tpot_s: float) -> list[Json]:
    """Return the percentiles of a report, each 10 % wide to both sides."""
    return [
        {"name": name, "p": p, "n": 600, "value_s": value, "lo": 0.9 * value, "hi": 1.1 * value}
        for name, value in (("ttft", ttft_s), ("tpot", tpot_s))
        for p in (50, 95)
    ]


def run(run_id: str, at_s: float, **told: Any) -> Json:  # noqa: ANN401 -- columns of load_runs
    """Return a row of `load_runs`."""
    seconds = {"started_at": at_s, "ended_at": at_s + SECONDS + 5}
    known = {"target": TARGET, "model": "m", "fit": "fit", "seed": 7, "plan_sha256": "p7"}
    texts = dict.fromkeys(("key_json", "plan_json", "report_json"), "{}")
    return {"run_id": run_id, **seconds, **known, **texts, **told}


def step(run_id: str, at: int, at_s: float, rate: float, good_ratio: float, **told: Any) -> Json:  # noqa: ANN401
    """Return a measured row of `load_steps`."""
    offered = round(rate * 100)
    return {
        "run_id": run_id, "step": at, "kind": "measured", "mode": "open", "started_at": at_s, "rate_per_s": rate,
        "ended_at": at_s + SECONDS, "offered": offered, "completed": offered, "good": round(offered * good_ratio),
        "state": "", "stats_json": "{}", **told,
    }  # fmt: skip


def search(target: str = TARGET) -> dict[str, list[Json]]:
    """Return a search: of each rate a run, whose own rate is a little off, and what they came to."""
    runs, steps, curve = list[Json](), list[Json](), list[Json]()
    for at, rate in enumerate(RATES):
        ttft_s, tpot_s, good = 0.1 * 1.5**at, 0.02 + 0.002 * at, 1.0 if rate < 6 else 0.7
        point = {
            "rate_rps": rate,
            "attainment": good,
            "lo": good - 0.05,
            "hi": good,
            "ttft_p95_s": ttft_s,
            "tpot_p95_s": tpot_s,
        }
        told = {
            "target": target,
            "plan_json": json.dumps({"rate": {"points": [[0.0, rate]]}}),
            "report_json": json.dumps({"metrics": figures(ttft_s, tpot_s)}),
        }
        runs.append(run(f"{SEARCH}-{at}", START_S + at, **told))
        steps.append(step(f"{SEARCH}-{at}", 0, START_S + at, 1.01 * rate, good))
        told = {"state": "accepted" if good == 1 else "rejected", "stats_json": json.dumps(point)}
        steps.append(step(SEARCH, at, START_S + at, rate, good, **told))
        curve.append(point)
    profile: Json = {
        "run_ids": [one["run_id"] for one in runs], "goodput_rps": RATES[2], "knee_rps": RATES[3], "curve": curve,
        "slo": {"ttft_s": 0.5}, "mix": {"in_mean": 100.0, "out_mean": 70.0},
    }  # fmt: skip
    row = {
        "target": target, "mu_star_per_s": RATES[2], "made_at": START_S + 60, "valid_until": START_S + 30 * 86_400,
        "profile_json": json.dumps(profile),
    }  # fmt: skip
    return {"load_runs": runs, "load_steps": steps, "scaling_profiles": [row]}


def values(seed: int, ttft_s: float = 0.3, bad_ratio: float = 0.0) -> list[tuple[float, float | None]]:
    """Return when each request was due, seconds after the start, and its TTFT; None if it failed."""
    random = Random(seed)  # noqa: S311 -- a load test, no secret
    made: list[tuple[float, float | None]] = []
    for n in range(PER_S * SECONDS):
        # Those of ten seconds share a queue.
        shared = Random(f"{seed} {n // (10 * PER_S)}").gauss(0, 0.15)  # noqa: S311
        value = ttft_s * random.lognormvariate(shared, 0.4)
        made.append((n / PER_S, None if random.random() < bad_ratio else value))
    return made


def requests(run_id: str, target: str, at_s: float, found: Sequence[tuple[float, float | None]]) -> list[RequestRecord]:
    """Return the requests of a run."""
    random = Random(run_id)  # noqa: S311 -- ids of a past
    made: list[RequestRecord] = []
    for n, (due_s, ttft_s) in enumerate(found):
        took_us = round((1.0 if ttft_s is None else ttft_s + 0.4) * 1e6)
        ended_at = round((at_s + due_s) * 1000) + took_us // 1000
        one = msgspec.structs.replace(
            sample_request(n, ended_at), endpoint=target, traffic="loadtest", run_id=run_id, ended_at=ended_at,
            record_id=uuid7(ended_at, random.getrandbits(RANDOM_BITS)), elapsed_us=took_us // 1000 * 1000,
            ttft_us=None if ttft_s is None else round(ttft_s * 1e6), e2e_us=None if ttft_s is None else took_us,
        )  # fmt: skip
        if ttft_s is None:
            one = msgspec.structs.replace(one, outcome=Outcome.SERVER_ERROR, eligible=Eligibility.BAD)
        made.append(one)
    return made


def keep(stored: Stored, run_id: str, at_s: float, found: Sequence[tuple[float, float | None]], **told: Any) -> None:  # noqa: ANN401
    """Store a run with its requests, of which 99 in 100 were good."""
    row = run(run_id, at_s, **{"target": COMPARED, **told})
    stored.insert(f"node/{run_id}", requests(run_id, row["target"], at_s, found))
    stored.insert_rows("load_runs", [row])
    stored.insert_rows("load_steps", [step(run_id, 1, at_s, PER_S, 0.99)])
