"""A real vLLM whose core hangs while it answers: what its health check says of it, and what the rule says."""

import asyncio
import os
from pathlib import Path

import httpx
import pytest
from rig import Engine

from benchmarks.processes import held_still, vllm_cores
from probes.engine_metrics import EngineProbe, Target
from slo.jump import Verdict
from slo.rules.engines import StalledEngineRule
from slo.rules.rule import Found, Settings
from telemetry.clock import wall_ms
from telemetry.fetch import Client
from telemetry.samples import EngineSample
from telemetry.testing.store_process import StoreProcess

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]

STILL_S = 3
"""Patience of the rule here."""
MORE_TRIES = 3
BODY = {
    "model": "tiny-llama",
    "prompt": "the quick brown fox " * 4,
    "max_tokens": 1_500,
    "ignore_eos": True,
    "stream": True,
}


class Scraper:
    """Our own scraper, whose rows go into a store at once, and the rule that looks at them."""

    def __init__(self, url: str, client: Client, store: StoreProcess) -> None:
        self.probe = EngineProbe(Target(url=url, endpoint="chat", replica="r0"), client)
        self.writer, self.reader = store.store("writer"), store.store("reader")
        self.rule = StalledEngineRule(settings=Settings(threshold=STILL_S))
        self.running: float | None = None
        """Requests that the engine said it works on, at the last answered scrape."""

    async def look(self, seconds: float) -> Found:
        """Scrape twice a second for so long, and judge."""
        end_ms = wall_ms() + round(seconds * 1_000)
        while wall_ms() < end_ms:
            rows = [row for row in await self.probe.ask() if isinstance(row, EngineSample)]
            self.writer.insert_samples(rows, f"scrape-{wall_ms()}")
            self.running = next((row.running for row in rows if row.running is not None), self.running)
            await asyncio.sleep(0.5)
        at_s = wall_ms() // 1_000 + 1
        rows_of = {name: self.reader.query(question) for name, question in self.rule.questions(at_s).items()}
        [found] = self.rule.judge(at_s, rows_of)
        return found

    def close(self) -> None:
        self.writer.close()
        self.reader.close()


async def stalled_and_health(vllm: Engine, user: httpx.AsyncClient, scraper: Scraper) -> tuple[Found, int]:
    """Stop the core in the middle of an answer; return what the rule says, and what the health check does."""
    pids = vllm_cores(os.getpid())  # before the answer begins, which is over in a second or two
    async with user.stream("POST", f"{vllm.url}/v1/completions", json=BODY) as answer:
        lines = answer.aiter_lines()
        assert (await anext(lines)).startswith("data: ")
        with held_still(pids):
            stalled = await scraper.look(STILL_S + 7)  # what was under way when it stopped may still be counted
            while stalled.naive is not Verdict.SILENT:  # a machine that does other things may miss a scrape
                stalled = await scraper.look(1)
            health = (await user.get(f"{vllm.url}/health")).status_code
        assert [line async for line in lines if "[DONE]" in line]
    return stalled, health


async def test_a_core_that_hangs_is_found_while_the_health_check_answers(vllm: Engine, tmp_path: Path) -> None:
    with StoreProcess(tmp_path / "data") as store:
        async with Client() as client, httpx.AsyncClient(timeout=60) as user:
            scraper = Scraper(vllm.url, client, store)
            stalled, health = await stalled_and_health(vllm, user, scraper)
            for _ in range(MORE_TRIES):
                if not scraper.running:  # the answer was whole before the core stopped: no hang, then
                    stalled, health = await stalled_and_health(vllm, user, scraper)
            running = scraper.running
            healed = await scraper.look(1)
            scraper.close()

    assert 1 == running
    assert (Verdict.PAGE, Verdict.SILENT, True, 200) == (stalled.sound, stalled.naive, stalled.is_known, health)
    assert (Verdict.SILENT, True) == (healed.sound, healed.is_known)
