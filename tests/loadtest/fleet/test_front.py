"""Says what the addresses of a fleet answer beside vLLM's API."""

import json
from http import HTTPStatus
from typing import Any

import pytest
from engines import PLAIN, fleet

from loadtest.fleet.crew import Crew
from loadtest.fleet.front import Front, Seat
from loadtest.fleet.spec import ColdStart
from loadtest.fleet.stepped import Stepped

OK, BAD = HTTPStatus.OK, HTTPStatus.BAD_REQUEST


def fronted(replicas: int = 2) -> tuple[Front, Stepped]:
    made = Stepped(Crew(fleet(replicas, replicas_max=3, cold=ColdStart(median_s=0.0, sigma=0.0), engine=PLAIN), 1))
    return Front(made, lambda: {"r-0": "http://127.0.0.1:1"}, 1000.0, 400.0), made


def told(front: Front, method: str, path: str, **body: object) -> tuple[HTTPStatus, dict[str, Any]]:
    found = front.told(method, path, json.dumps(body).encode())
    assert found is not None
    return found[0], json.loads(found[1])


async def test_a_fleet_says_what_it_is_like() -> None:
    front, _ = fronted()
    status, said = told(front, "GET", "/fleet")

    assert (OK, True, 2, 2, 0, 0) == (
        status,
        *(said[name] for name in ("simulated", "spec", "ready", "warming", "draining")),
    )
    assert [
        {"name": "r-0", "url": "http://127.0.0.1:1", "slower": 1.0},
        {"name": "r-1", "url": None, "slower": 1.0},
    ] == said["replicas"]
    assert front.is_open


async def test_it_is_scaled_and_tells_of_the_start() -> None:
    front, stepped = fronted()
    told(front, "POST", "/fleet", replicas=3)
    stepped.move()
    _, said = told(front, "GET", "/fleet")

    assert (3, 3) == (said["spec"], said["ready"])
    (start,) = said["cold_starts"]
    assert {"replica", "asked_unix_s", "schedule_s", "image_s", "weights_s", "init_s", "ready_s", "stable_s"} == set(
        start
    )
    assert ("r-2", 0.0, None) == (start["replica"], start["ready_s"], start["stable_s"])


async def test_a_replica_is_broken_and_healed() -> None:
    front, _ = fronted()
    _, broken = told(front, "POST", "/fleet/fault", replica="r-1", slower=6)
    _, healed = told(front, "POST", "/fleet/fault", replica="r-1", slower=1)

    assert [1.0, 6.0] == [one["slower"] for one in broken["replicas"]]
    assert [1.0, 1.0] == [one["slower"] for one in healed["replicas"]]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/fleet", {"replicas": 9}),
        ("/fleet", {"replica": 2}),
        ("/fleet/fault", {"replica": "r-7", "slower": 2.0}),
    ],
)
async def test_what_is_refused(path: str, body: dict[str, object]) -> None:
    status, said = told(fronted()[0], "POST", path, **body)

    assert (BAD, ["detail"]) == (status, list(said))


async def test_pages_of_all_and_of_one() -> None:
    front, stepped = fronted()
    seat = Seat(stepped, "r-1", 1000.0)
    both, one = front.told("GET", "/metrics", b""), seat.told("GET", "/metrics", b"")
    assert both is not None
    assert one is not None

    assert (True, True) == (seat.is_open, b'running{engine="1"' in both[1])
    assert b'running{engine="0"' in one[1]
    assert b'running{engine="1"' not in one[1]


async def test_other_paths_are_unknown() -> None:
    front, stepped = fronted()

    assert (None, None) == (
        front.told("DELETE", "/fleet", b""),
        Seat(stepped, "r-0", 0.0).told("GET", "/fleet", b""),
    )


async def test_a_replica_that_drains_takes_nothing_new() -> None:
    front, stepped = fronted()
    tokens = Seat(stepped, "r-1", 0.0).tokens(10, 100)
    stepped.crew.live("r-1").ask(10, 100, stepped.move())
    told(front, "POST", "/fleet", replicas=1)

    assert not Seat(stepped, "r-1", 0.0).is_open
    await tokens.aclose()
    await front.tokens(1, 1).aclose()
