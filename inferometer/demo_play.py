"""Knows how the story of the demo is played: it breaks and heals the simulated fleet, and follows hints.

    python -m inferometer.demo_play --data DIR --fleet http://127.0.0.1:8000 --seed 7

It refuses to know what a hint is made of: it does what one says, as an autoscaler would, and says that it did. Each
step is told on stderr, with the page on which it is seen.

Source: spec/ui.md 1.4; spec/scaling.md 2 (ack).
"""

import argparse
import asyncio
import json
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, cast

from inferometer import demo_story as story
from inferometer.data_directory import DataDirectory, read_status
from inferometer.defaults import LOOPBACK
from inferometer.log import to_stderr
from inferometer.supervisor import Log
from telemetry import guard
from telemetry.clock import sleep, wall_ms
from telemetry.fetch import Client
from telemetry.fetch_error import FetchError

ACTOR = "inferometer demo"
ANSWER_BYTES_MAX = 1 << 20
"""Longest answer that is read."""
_ASK_S, _LOOK_S = 2.0, 1.0
_OK = range(200, 300)


@dataclass(slots=True, kw_only=True)
class Play:
    """A story on its way.

    Attributes:
        fleet: URL of the simulated fleet.
        pages: URL of our own pages.
        random: Who is broken.
        log: Where steps are told.
        client: Asks.
        now_unix_s: Reads the wall clock.
        nap: Waits for seconds.
    """

    fleet: str
    pages: str
    random: Random
    log: Log
    client: Client
    now_unix_s: Callable[[], float] = lambda: wall_ms() / 1000
    nap: Callable[[float], Awaitable[None]] = asyncio.sleep
    _broken: str = ""
    _said: dict[str, str] = field(default_factory=dict[str, str])

    async def run(self) -> None:
        """Play story after story until cancelled; one that is late begins at its next edge."""
        begins_s = story.begins_s(self.now_unix_s())
        while True:
            for step in story.steps():
                await self._watch(begins_s + step.at_s)
                self._tell(f"demo, {step.at_s} s: {step.says}", step.page)
                await self._act(step.act)
            await self._watch(begins_s + story.STORY_S)
            begins_s = story.begins_s(self.now_unix_s() - _LOOK_S)

    async def _watch(self, until_unix_s: float) -> None:
        """Follow hints, and tell of alerts, until a time."""
        while (left_s := until_unix_s - self.now_unix_s()) > 0:
            await self._follow()
            await self._alerts()
            await self.nap(min(_LOOK_S, left_s))

    async def _act(self, act: story.Act) -> None:
        match act:
            case story.Act.HEALTHY:
                await self._scale(story.REPLICAS)
            case story.Act.FAULT:
                like = await self._ask("GET", f"{self.fleet}/fleet")
                names = [str(one["name"]) for one in like["replicas"]] if like else []
                if names:
                    self._broken = story.victim(self.random, names)
                    await self._slow(story.SLOWER)
            case story.Act.HEALED:
                await self._slow(1.0)
            case story.Act.SMALL:
                await self._scale(story.REPLICAS)

    async def _slow(self, factor: float) -> None:
        await self._ask("POST", f"{self.fleet}/fleet/fault", {"replica": self._broken, "slower": factor})

    async def _scale(self, replicas: int) -> None:
        """Let the fleet have so many replicas, and say so to whoever makes hints."""
        await self._ask("POST", f"{self.fleet}/fleet", {"replicas": replicas})
        told = {"replicas": replicas, "actor": ACTOR}
        await self._ask("POST", f"{self.pages}/v1/hints/{story.TARGET}/replicas", told)

    async def _follow(self) -> None:
        """Do what the last hint says, once."""
        hint = await self._ask("GET", f"{self.pages}/v1/hints/{story.TARGET}")
        if not hint or self._said.get("hint") == hint["id"]:
            return
        is_new = self._said.get("action") != hint["action"]
        self._said |= {"hint": hint["id"], "action": hint["action"]}
        page = f"ui/hints/{story.TARGET}"
        if is_new:
            self._tell(f"demo: the hint is {hint['action']}: {_why(hint)}", page)
        if hint["action"] not in {"scale_up", "scale_down"}:
            return
        desired = int(hint["replicas"]["desired"])
        done = await self._ask("POST", f"{self.fleet}/fleet", {"replicas": desired})
        if done:
            told = {"hint_id": hint["id"], "applied_replicas": desired, "actor": ACTOR, "automated": True}
            await self._ask("POST", f"{self.pages}/v1/hints/{story.TARGET}/ack", told)
            self._tell(f"demo: the fleet follows, {desired} replicas are asked for", page)

    async def _alerts(self) -> None:
        """Tell when the alert of the demo's objective fires, and when it is resolved."""
        found = await self._ask("GET", f"{self.pages}/v1/alerts")
        alerts: list[dict[str, Any]] = found["alerts"] if found else []
        for one in alerts:
            state = str(one["state"])
            if one["labels"]["alertname"] != story.OBJECTIVE or self._said.get(one["fingerprint"], "") == state:
                continue
            before, self._said[one["fingerprint"]] = self._said.get(one["fingerprint"]), state
            if state == "firing" or before == "firing":
                self._tell(f"demo: the alert is {state}", f"ui/alerts/{one['fingerprint']}")

    async def _ask(self, method: str, url: str, body: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 -- JSON
        """Ask; None if there is no good answer, which a later look may bring."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        with suppress(FetchError, ValueError):
            found = await self.client.fetch(
                method,
                url,
                policy=guard.ENGINE,
                total_s=_ASK_S,
                bytes_max=ANSWER_BYTES_MAX,
                headers=headers,
                body=None if body is None else json.dumps(body).encode(),
            )
            return json.loads(found.body) if found.status in _OK and found.body else None
        return None

    def _tell(self, words: str, page: str) -> None:
        self.log(f"{words}; see {self.pages}/{page}")


def _why(hint: dict[str, Any]) -> str:
    """Return the reason that binds, or what there is."""
    reasons: list[dict[str, Any]] = hint["reasons"]
    first = sorted(reasons, key=lambda one: not one["binding"])[:1]
    return ", ".join(str(one.get("text") or one["code"]) for one in first) or "nothing asks for more"


async def _played(fleet: str, pages: str, seed: int, log: Log) -> None:
    async with asyncio.TaskGroup() as group, Client() as client:
        random = Random(seed)  # noqa: S311  # a repeatable sequence is wanted
        task = group.create_task(Play(fleet=fleet, pages=pages, random=random, log=log, client=client).run())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        with suppress(asyncio.CancelledError):
            await task


def main() -> None:
    """Read the command line and play."""
    parser = argparse.ArgumentParser(prog="python -m inferometer.demo_play")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fleet", required=True)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    data = DataDirectory(root=given.data)
    while not (status := read_status(data)).get("ready"):
        sleep(0.1)
    port = cast("dict[str, int]", status["ports"])["serve"]
    asyncio.run(_played(given.fleet, f"http://{LOOPBACK}:{port}", given.seed, to_stderr()))


if __name__ == "__main__":
    main()
