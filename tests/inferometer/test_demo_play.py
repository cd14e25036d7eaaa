"""The story is played on a real simulated fleet, on a clock of its own; who makes hints and alerts is scripted."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from inferometer import demo_story as story
from inferometer.demo_play import ANSWER_BYTES_MAX, Play
from loadtest.fleet.server import USUAL, Served, served
from loadtest.fleet.spec import ColdStart, FleetSpec
from telemetry import guard
from telemetry.fetch import Client
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitToken, ByRequestLine, HalfClose, Send
from telemetry.testing.wire import Script

BEGINS_S = 1_002.0
HINT = {
    "id": "h1",
    "action": "scale_up",
    "replicas": {"desired": 4},
    "reasons": [{"code": "KV_PRESSURE", "binding": False}, {"code": "SLO_RATIO", "binding": True, "text": "too late"}],
}
ALERT = {"fingerprint": "f", "state": "firing", "labels": {"alertname": story.OBJECTIVE}}
OTHER = {"fingerprint": "g", "state": "firing", "labels": {"alertname": "another"}}


class _OverError(Exception):
    """The time of the test is over."""


def answered(told: object) -> Script:
    body = json.dumps(told).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return [AwaitToken(), Send(head.encode() + body), HalfClose()]


@dataclass(slots=True)
class Stage:
    """A fleet, scripted pages, and a clock that naps move."""

    fleet: str
    pages: Endpoint
    scripts: dict[bytes, Script]
    until_s: float
    now_s: float = BEGINS_S
    said: list[str] = field(default_factory=list[str])
    sizes: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])

    def log(self, event: str, **fields: object) -> None:
        assert not fields
        self.said.append(event)

    async def nap(self, wait_s: float) -> None:
        self.now_s += wait_s
        if self.now_s >= BEGINS_S + self.until_s:
            raise _OverError

    def says(self, path: str, told: object) -> None:
        self.scripts[f"GET {path} HTTP/1.1".encode()] = answered(told)

    async def like(self, client: Client) -> dict[str, Any]:
        found = await client.fetch("GET", f"{self.fleet}/fleet", policy=guard.ENGINE, total_s=5, bytes_max=1 << 20)
        told: dict[str, Any] = json.loads(found.body)
        return told

    async def played(self) -> dict[str, Any]:
        """Play until the time is over; return what the fleet is like then."""
        async with Client() as client:
            play = Play(
                fleet=self.fleet,
                pages="http://{}:{}".format(*self.pages.address),
                random=Random(1),  # noqa: S311
                log=self.log,
                client=client,
                now_unix_s=lambda: self.now_s,
                nap=self.nap,
            )
            with pytest.raises(_OverError):
                await play.run()
            return await self.like(client)


@asynccontextmanager
async def stage(until_s: float) -> AsyncGenerator[Stage]:
    address: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()
    fleet = FleetSpec(engine=USUAL, replicas=2, replicas_max=4, cold=ColdStart(median_s=0.0, sigma=0.0))
    scripts = dict[bytes, Script]()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(served(Served(fleet=fleet), 0, lambda host, port: address.set_result((host, port))))
        with Endpoint([ByRequestLine(scripts, [AwaitToken(), HalfClose()])]) as pages:
            yield Stage("http://{}:{}".format(*await address), pages, scripts, until_s)
        task.cancel()


async def test_one_replica_is_broken_and_healed() -> None:
    async with stage(30) as made:
        broken = await made.played()
    async with stage(80) as made:
        healed = await made.played()

    assert [1.0, story.SLOWER] == sorted(one["slower"] for one in broken["replicas"])
    assert [1.0, 1.0] == [one["slower"] for one in healed["replicas"]]
    assert ["demo, 0 s", "demo, 20 s", "demo, 75 s"] == [one.partition(":")[0] for one in made.said]
    assert all("; see http://127.0.0.1:" in one for one in made.said)


async def test_a_hint_is_followed_once_and_acknowledged() -> None:
    async with stage(3) as made:
        made.says(f"/v1/hints/{story.TARGET}", HINT)
        made.says("/v1/alerts", {"alerts": []})
        like = await made.played()
        asked = [one.received for one in made.pages.transcripts(8)]

    acks = [json.loads(one.partition(b"\r\n\r\n")[2]) for one in asked if b"/ack HTTP" in one]
    assert 4 == like["spec"]
    assert [{"hint_id": "h1", "applied_replicas": 4, "actor": "inferometer demo", "automated": True}] == acks
    assert ["the hint is scale_up: too late", "the fleet follows, 4 replicas are asked for"] == [
        one.partition("demo: ")[2].partition(";")[0] for one in made.said if one.startswith("demo: ")
    ]


async def test_alerts_of_the_demo_are_told_when_they_fire_and_end() -> None:
    async with stage(3) as made:
        made.says("/v1/alerts", {"alerts": [ALERT, OTHER]})
        await made.played()
        first = list(made.said)

    assert ["demo: the alert is firing"] == [one.partition(";")[0] for one in first if "alert" in one]


async def test_at_the_end_of_a_story_the_fleet_is_small_again_and_it_begins_anew() -> None:
    async with stage(story.STORY_S + 25) as made:
        made.says(f"/v1/hints/{story.TARGET}", {**HINT, "action": "hold", "reasons": []})
        like = await made.played()

    acts = [one.partition(":")[0] for one in made.said if one.startswith("demo, ")]
    assert (2, story.SLOWER) == (like["spec"], max(one["slower"] for one in like["replicas"]))
    assert ["demo, 225 s", "demo, 0 s", "demo, 20 s"] == acts[3:]
    assert "demo: the hint is hold: nothing asks for more" in made.said[1].partition(";")[0]
    assert ANSWER_BYTES_MAX > 1 << 16
