"""A real vLLM whose core hangs while it answers: what its health check says of it, and what the rule says."""

import asyncio
import os
import signal
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from rig import Engine

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
BODY = {
    "model": "tiny-llama",
    "prompt": "the quick brown fox " * 4,
    "max_tokens": 1_500,
    "ignore_eos": True,
    "stream": True,
}


def descendants(pid: int) -> list[int]:
    try:
        tasks = Path(f"/proc/{pid}/task").iterdir()
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []  # it, or a thread of it, has ended meanwhile
    return children + [further for child in children for further in descendants(child)]


def is_vllms(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().startswith("VLLM::")
    except OSError:
        return False


@contextmanager
def hung() -> Generator[None]:
    """Stop vLLM's core and worker, which are among our own children; its API server goes on."""
    pids = [one for one in descendants(os.getpid()) if is_vllms(one)]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):  # the others go on nevertheless
                os.kill(pid, signal.SIGCONT)


class Scraper:
    """Our own scraper, whose rows go into a store at once, and the rule that looks at them."""

    def __init__(self, url: str, client: Client, store: StoreProcess) -> None:
        self.probe = EngineProbe(Target(url=url, endpoint="chat", replica="r0"), client)
        self.writer, self.reader = store.store("writer"), store.store("reader")
        self.rule = StalledEngineRule(settings=Settings(threshold=STILL_S))

    async def look(self, seconds: float) -> Found:
        """Scrape twice a second for so long, and judge."""
        end_ms = wall_ms() + round(seconds * 1_000)
        while wall_ms() < end_ms:
            rows = [row for row in await self.probe.ask() if isinstance(row, EngineSample)]
            self.writer.insert_samples(rows, f"scrape-{wall_ms()}")
            await asyncio.sleep(0.5)
        at_s = wall_ms() // 1_000 + 1
        rows_of = {name: self.reader.query(question) for name, question in self.rule.questions(at_s).items()}
        [found] = self.rule.judge(at_s, rows_of)
        return found

    def close(self) -> None:
        self.writer.close()
        self.reader.close()


async def test_a_core_that_hangs_is_found_while_the_health_check_answers(vllm: Engine, tmp_path: Path) -> None:
    with StoreProcess(tmp_path / "data") as store:
        async with Client() as client, httpx.AsyncClient(timeout=60) as user:
            scraper = Scraper(vllm.url, client, store)
            async with user.stream("POST", f"{vllm.url}/v1/completions", json=BODY) as answer:
                lines = answer.aiter_lines()
                assert (await anext(lines)).startswith("data: ")
                with hung():
                    stalled = await scraper.look(STILL_S + 2)
                    health = (await user.get(f"{vllm.url}/health")).status_code
                assert [line async for line in lines if "[DONE]" in line]
            healed = await scraper.look(1)
            scraper.close()

    assert (Verdict.PAGE, Verdict.SILENT, True, 200) == (stalled.sound, stalled.naive, stalled.is_known, health)
    assert (Verdict.SILENT, True) == (healed.sound, healed.is_known)
