"""A load test of the real vLLM: what we read against what a raw client read, and a sweep that finds a bracket.

Bounds are loose, since the engine and two clients share two cores with whatever else runs; `benchmarks.load_vllm` gives
the figures, beside `vllm bench serve`. A meter that is wrong by a half, or counts chunks for tokens, fails here.
"""

import asyncio
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import pytest
from load_rig import carried_out
from rig import Engine

from loadtest.asking import Asker
from loadtest.plan_spec import Fixed, PlanSpec, Process, RateCurve, Separate, WorkloadClass
from loadtest.planner import build
from loadtest.run_spec import Api, RunSpec
from telemetry.outcome import Outcome
from telemetry.testing import client
from telemetry.testing.wire import Transcript

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

RATE_RPS, REQUESTS, TOKENS = 5.0, 40, 48
ROUNDS_MAX, APART_RATIO, APART_S = 5, 0.25, 0.004
BUSY, FAILED = 4, 3
"""A machine that does other things meanwhile makes a client unfit, or the engine too slow for any rate."""
_CHOICE = re.compile(rb'"choices":\[\{')
_USAGE = re.compile(rb'"completion_tokens":(\d+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a client read of a plan: medians, and all tokens."""

    ttft_s: float
    tpot_s: float
    tokens: int


def plan(seed: int) -> PlanSpec:
    lengths = Separate(tokens_in=Fixed(tokens=150), tokens_out=Fixed(tokens=TOKENS))
    return PlanSpec(
        seed=seed,
        process=Process.CONSTANT,
        rate=RateCurve(points=((0.0, RATE_RPS),)),
        count=REQUESTS,
        classes=(WorkloadClass(lengths=lengths),),
    )


def a_run(directory: Path, url: str, seed: int) -> RunSpec:
    return RunSpec(
        run_id=f"r-{seed}",
        targets=(url,),
        plan=plan(seed),
        directory=str(directory / f"r-{seed}"),
        model="tiny-llama",
        api=Api.COMPLETIONS,
        start_delay_s=0.5,
    )


def ours(run: RunSpec) -> Read:
    """Carry a plan out; every arrival is sent, and every answer complete."""
    ending, rows = carried_out(run, 1)
    records = [row.record for row in rows]

    assert (REQUESTS, REQUESTS, REQUESTS) == (ending.planned, ending.whole.sent, len(rows))
    assert {Outcome.OK} == {record.outcome for record in records}
    return Read(
        ttft_s=median(record.ttft_us or 0 for record in records) / 1e6,
        tpot_s=median(record.tpot_us or 0 for record in records) / 1e6,
        tokens=sum(record.tokens_out or 0 for record in records),
    )


async def raw(run: RunSpec) -> Read:
    """Send the same requests at the same times, and stamp each read right behind it."""
    host, _, port = run.targets[0].removeprefix("http://").partition(":")
    arrivals = list(build(run.plan).mine(0, 1))
    asker = Asker(run, build(run.plan))

    async def one(number: int) -> Transcript:
        arrival = arrivals[number]
        ask = asker.ask(arrival, [asker.prompt(arrival)], None)
        headers = ("Content-Type: application/json", "Connection: close")
        sent = client.request("POST", ask.path, ask.body, *headers)
        await asyncio.sleep(arrival.t_sched_ns / 1e9)
        return await client.talk((host, int(port)), client.ask(sent))

    seen = await asyncio.gather(*(one(number) for number in range(len(arrivals))))
    first_s = [(stamps(one)[0] - one.began_ns) / 1e9 for one in seen]
    steps_s = [(stamps(one)[-1] - stamps(one)[0]) / 1e9 / (TOKENS - 1) for one in seen]
    tokens = sum(int(found[1]) for one in seen if (found := _USAGE.search(b"".join(data for _, data in one.chunks))))
    return Read(ttft_s=median(first_s), tpot_s=median(steps_s), tokens=tokens)


def stamps(seen: Transcript) -> list[int]:
    """Stamps of the reads that brought a token."""
    return [at_ns for at_ns, data in seen.chunks if _CHOICE.search(data)]


def test_we_read_what_a_raw_client_reads(vllm: Engine, tmp_path: Path) -> None:
    """A busy machine may spoil a round, a false meter spoils every one."""
    for number in range(ROUNDS_MAX):
        run = a_run(tmp_path, vllm.url, 2 * number)
        mine = ours(run)
        other = asyncio.run(raw(msgspec.structs.replace(run, salt=f"raw {number}")))
        apart = [abs(mine.ttft_s - other.ttft_s), abs(mine.tpot_s - other.tpot_s)]
        print(
            f"round {number}: TTFT {mine.ttft_s * 1e3:.1f} and {other.ttft_s * 1e3:.1f} ms, "
            f"TPOT {mine.tpot_s * 1e3:.2f} and {other.tpot_s * 1e3:.2f} ms, tokens {mine.tokens} and {other.tokens}"
        )
        assert REQUESTS * TOKENS == mine.tokens == other.tokens
        if apart[0] <= APART_RATIO * other.ttft_s + APART_S and apart[1] <= APART_RATIO * other.tpot_s:
            return
    pytest.fail(f"the clients disagree in each of {ROUNDS_MAX} rounds")


def test_a_sweep_of_the_real_engine_ends_in_a_bracket(vllm: Engine, tmp_path: Path) -> None:
    words = ["--api", "openai_completions", "--tokens-in", "16", "--tokens-out", "16", "--workers", "1"]
    search = ["--around", "160", "--seconds", "4", "--warm-up", "0.5", "--steps-max", "5", "--drain", "30"]
    limits = ["--ttft-max", "0.25", "--goodput", "0.9", "--output", "json", "--data", str(tmp_path)]
    command = [sys.executable, "-m", "inferometer", "load", "sweep", vllm.url, *search, *words, *limits]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)

    print(done.stdout, done.stderr)
    curve = [json.loads(line) for line in done.stdout.splitlines()]
    reports = [report for path in (tmp_path / "runs").glob("*-*") if (report := told(path))["fit"] is not None]
    assert reports
    for report in reports:
        assert plan_check(report) in {"held", "unknown"}, report["fit"]
    profiles = list((tmp_path / "runs").glob("*/profile.json"))
    if done.returncode in {BUSY, FAILED}:
        assert [] == profiles
        return
    assert 0 == done.returncode
    profile = json.loads(profiles[0].read_text())
    good = [point["rate_rps"] for point in curve if point["verdict"] == "accept"]
    bad = [point["rate_rps"] for point in curve if point["verdict"] == "reject"]
    assert profile["goodput_rps"] in good
    assert profile["rejected_rps"] == min(bad)
    assert profile["goodput_rps"] < profile["rejected_rps"]
    assert profile["mix"]["out_mean"] == 16.0


def told(directory: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((directory / "report.json").read_text())
    return report


def plan_check(report: dict[str, Any]) -> str:
    """What the fit gate says of planned and sent."""
    (state,) = (check["state"] for check in report["fit"]["checks"] if check["name"] == "plan")
    return str(state)
