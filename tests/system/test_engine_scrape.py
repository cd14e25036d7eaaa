"""The scraper against a real vLLM under load: its rows against the page as a plain client reads it."""

import asyncio
import json
import re
import signal
import statistics
import subprocess
from contextlib import suppress

import httpx
import pytest
from rig import INFEROMETER, Engine

from probes.engine_metrics import EngineProbe, Target
from telemetry.fetch import Client
from telemetry.samples import EngineHistogram, EngineSample

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]

CLIENTS, ROUNDS = 200, 10
ROUNDS_MAX = 80
"""Few scrapes of a busy engine fall between two of its steps: 1 of 11 was seen, and 3 of 10."""
STEADY_CLIENTS, RATES = 8, 6
GAUGES = ("vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc")
COUNTERS = {
    "vllm:generation_tokens_total": "generation_tokens_total",
    "vllm:prompt_tokens_total": "prompt_tokens_total",
    "vllm:prefix_cache_queries_total": "prefix_queries_total",
}
"""Names on the page and columns of the row."""
Seen = tuple[dict[str, float], EngineSample, dict[str, float]]
"""A reading of the page, a scrape, another reading."""
BODY = {"model": "tiny-llama", "prompt": "the quick brown fox " * 20, "max_tokens": 200, "ignore_eos": True}


async def read_by_hand(client: httpx.AsyncClient, url: str) -> dict[str, float]:
    """Sums of the page's series by name, read without any of our code."""
    text = (await client.get(f"{url}/metrics")).text
    sums: dict[str, float] = {}
    for name, value in re.findall(r"(?m)^([a-z0-9_:]+)(?:\{.*\})? (\S+)$", text):
        sums[name] = sums.get(name, 0.0) + float(value)
    return sums


async def ask(client: httpx.AsyncClient, url: str, over: asyncio.Event) -> None:
    while not over.is_set():
        with suppress(httpx.TransportError):  # a server under this load may close what it did not get to
            await client.post(f"{url}/v1/completions", json=BODY)


async def test_under_load_the_rows_say_what_vllms_own_page_says(vllm: Engine) -> None:
    limits = httpx.Limits(max_connections=CLIENTS + 2, max_keepalive_connections=0)
    pairs: list[Seen] = []
    async with httpx.AsyncClient(timeout=120, limits=limits) as client, Client() as ours, asyncio.TaskGroup() as group:
        over = asyncio.Event()
        for _ in range(CLIENTS):
            group.create_task(ask(client, vllm.url, over))
        probe = EngineProbe(Target(url=vllm.url, endpoint="chat", replica="r0"), ours)
        while len(pairs) < ROUNDS or (not steady(pairs) and len(pairs) < ROUNDS_MAX):
            before = await read_by_hand(client, vllm.url)
            rows = await probe.ask()
            after = await read_by_hand(client, vllm.url)
            [sample] = [row for row in rows if isinstance(row, EngineSample)]
            pairs.append((before, sample, after))
            await asyncio.sleep(1)
        over.set()

    assert ({1}, {"tiny-llama"}, {0}) == (
        {sample.up for _, sample, _ in pairs},
        {sample.model for _, sample, _ in pairs},
        {sample.reset for _, sample, _ in pairs},
    )
    for name, column in COUNTERS.items():
        assert all(low[name] <= getattr(one, column) <= high[name] for low, one, high in pairs)
    held = steady(pairs)
    print(f"{len(held)} of {len(pairs)} scrapes fell between two equal readings; most waiting {most(pairs)}")
    assert held
    for low, one in held:
        assert [low[name] for name in GAUGES] == [one.running, one.queued, pytest.approx(one.kv_used_ratio)]
    assert most(pairs) > 0


def steady(pairs: list[Seen]) -> list[tuple[dict[str, float], EngineSample]]:
    """The scrapes before and after which the page said the same, and between which the engine made no token.

    Equal gauges alone do not show that nothing happened: a burst may come and go between two readings of 0.
    """
    return [(low, one) for low, one, high in pairs if all(low[name] == high[name] for name in (*GAUGES, *COUNTERS))]


def most(pairs: list[Seen]) -> int:
    return max(one.queued or 0 for _, one, _ in pairs)


async def test_each_histogram_of_a_quiet_engine_is_that_of_its_page(vllm: Engine) -> None:
    async with httpx.AsyncClient(timeout=60) as client, Client() as ours:
        await client.post(f"{vllm.url}/v1/completions", json={**BODY, "max_tokens": 8})
        sums = await read_by_hand(client, vllm.url)
        probe = EngineProbe(Target(url=vllm.url, endpoint="chat", replica="r0"), ours)
        rows = await probe.ask()

    told = {row.metric: row for row in rows if isinstance(row, EngineHistogram)}
    assert probe.last is not None
    for metric, row in told.items():
        name = probe.last.spelled[metric]
        assert (sums[f"{name}_count"], pytest.approx(sums[f"{name}_sum"])) == (row.cumulative[-1], row.sum)
    assert {"ttft", "itl", "tpot", "e2e", "queue_time", "prefill_time", "decode_time"} <= told.keys()


def watching(url: str, every_s: str) -> tuple[str, ...]:
    # Whoever runs the tests in the background ignores SIGINT, and so would its children.
    ask_it = ("probe", "engine", url, "--watch", every_s, "--output", "json")
    return ("env", "--default-signal=INT", *INFEROMETER, *ask_it)


async def test_tokens_a_second_under_load_are_those_of_vllms_own_page(vllm: Engine) -> None:
    shown: list[float] = []
    readings: list[tuple[float, float]] = []
    async with httpx.AsyncClient(timeout=120) as client, asyncio.TaskGroup() as group:
        over = asyncio.Event()
        await client.post(f"{vllm.url}/v1/completions", json=BODY)  # the first is slow
        for _ in range(STEADY_CLIENTS):
            group.create_task(ask(client, vllm.url, over))
        watch = await asyncio.create_subprocess_exec(*watching(vllm.url, "2"), stdout=subprocess.PIPE)
        assert watch.stdout is not None
        async for line in watch.stdout:
            row = json.loads(line)
            if row["metric"] == "generation_tokens_total":
                page = await read_by_hand(client, vllm.url)
                readings.append((asyncio.get_running_loop().time(), page["vllm:generation_tokens_total"]))
                shown += [row["per_s"]] if row["per_s"] is not None else []
            if len(shown) == RATES:
                break
        watch.send_signal(signal.SIGINT)
        await watch.communicate()
        over.set()

    (start_s, low), (end_s, high) = readings[0], readings[-1]
    ratio = statistics.mean(shown) / ((high - low) / (end_s - start_s))
    print(f"tokens a second shown over read by hand: {ratio:.3f}; shown {[round(one) for one in shown]}")
    assert ratio == pytest.approx(1, abs=0.25)  # the load comes in bursts, and the two look at different moments


def test_a_watch_shows_rates_until_it_is_interrupted(vllm: Engine) -> None:
    tokens: list[dict[str, object]] = []
    with subprocess.Popen(watching(vllm.url, "0.5"), stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        for line in watch.stdout:
            tokens += [row] if (row := json.loads(line))["metric"] == "generation_tokens_total" else []
            if len(tokens) == 2:
                watch.send_signal(signal.SIGINT)
                break
        watch.stdout.read()

    first, second = tokens
    assert first["per_s"] is None
    assert isinstance(second["per_s"], float)
    assert watch.returncode == 130
