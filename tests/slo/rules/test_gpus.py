"""How busy GPUs are says little of what is left of them: the seed's band beside rho, on a real store."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest
from metrics_rig import NOW_S, World, asked, gpu, insert, request, scrape, send

from slo.jump import Verdict
from slo.rules.gpus import PEAKS, Capacity, GpuBandRule, band, capacity, fewer_would_do
from slo.rules.rule import Found, Mode, Rule, Settings
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

RULE: Rule = GpuBandRule(settings=Settings())
SILENT, TICKET = Verdict.SILENT, Verdict.TICKET
MINUTE_S = 60
MINUTES = PEAKS + 5
"""Minutes of the same load, so that each is a peak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Replicas under two requests a minute each, at a rho.

    Attributes:
        util: What NVML says; None if it says nothing.
        rho: What they need of their time; None without a profile.
        replicas: How many there are.
        sampled: Minutes in which the GPUs were read.
    """

    util: float | None
    rho: float | None
    replicas: int = 2
    sampled: int = MINUTES
    minutes: int = MINUTES

    def add_to(self, world: World, name: str) -> None:
        starts = [NOW_S - MINUTE_S * (1 + n) for n in range(self.minutes)]
        world.requests += [request(name, at_s + 20 * n) for at_s in starts for n in range(2)]
        world.gpus += [gpu(name, at_s, self.util, 0.3) for at_s in starts[: self.sampled]]
        world.scrapes += [scrape(name, f"r{n}", at_s) for at_s in starts for n in range(self.replicas)]
        if self.rho is not None:
            world.profile(name, 0.85 * (2 / MINUTE_S) / (self.replicas * self.rho), {})


FLEETS: dict[str, tuple[Fleet, tuple[Verdict, Verdict, bool]]] = {
    "pinned by few requests: the seed would buy more": (Fleet(util=0.99, rho=0.3), (TICKET, TICKET, True)),
    "pinned, and the seed finds it tight": (Fleet(util=0.92, rho=0.3), (TICKET, SILENT, True)),
    "busy and needed": (Fleet(util=0.8, rho=0.7), (SILENT, SILENT, True)),
    "idle and not needed": (Fleet(util=0.3, rho=0.2), (TICKET, TICKET, True)),
    "idle, but half of it would not do": (Fleet(util=0.3, rho=0.45), (SILENT, TICKET, True)),
    "idle, and the only one": (Fleet(util=0.3, rho=0.2, replicas=1), (SILENT, TICKET, True)),
    "pinned, and the only one": (Fleet(util=0.99, rho=0.3, replicas=1), (SILENT, TICKET, True)),
    "saturated while its GPUs rest": (Fleet(util=0.6, rho=0.9), (TICKET, SILENT, True)),
    "saturated, and the seed would take some away": (Fleet(util=0.4, rho=0.9), (TICKET, TICKET, True)),
    "saturated": (Fleet(util=0.97, rho=0.95), (TICKET, TICKET, True)),
    "very busy with capacity left": (Fleet(util=0.97, rho=0.7), (SILENT, TICKET, True)),
    "without a profile": (Fleet(util=0.97, rho=None), (SILENT, TICKET, False)),
    "read for too short": (Fleet(util=0.97, rho=0.9, sampled=MINUTES // 2), (SILENT, SILENT, False)),
    "watched for too short": (Fleet(util=0.97, rho=0.9, minutes=PEAKS - 1), (SILENT, SILENT, False)),
}


@pytest.fixture(scope="module")
def found(process: StoreProcess) -> Iterator[Mapping[str, Found]]:
    writer, reader = process.store("writer"), process.store("reader")
    world = World()
    for name, (fleet, _) in FLEETS.items():
        fleet.add_to(world, name)
    Fleet(util=None, rho=0.5).add_to(world, "unread")
    world.insert(writer)
    yield by_endpoint(asked(reader, RULE, NOW_S))
    writer.close()
    reader.close()


def by_endpoint(found: Sequence[Found]) -> Mapping[str, Found]:
    return {one.labels["endpoint"]: one for one in found}


@pytest.mark.parametrize("fleet", FLEETS)
def test_gpus_that_are(fleet: str, found: Mapping[str, Found]) -> None:
    one = found[fleet]

    assert FLEETS[fleet][1] == (one.sound, one.naive, one.is_known), one.words


def test_the_seed_alone_needs_no_profile(reader: Store, found: Mapping[str, Found]) -> None:
    told = by_endpoint(asked(reader, GpuBandRule(settings=Settings(mode=Mode.NAIVE)), NOW_S))

    assert not found["without a profile"].is_known
    assert (TICKET, True) == (told["without a profile"].naive, told["without a profile"].is_known)
    assert not told["read for too short"].is_known


def test_gpus_that_tell_nothing_are_not_found(found: Mapping[str, Found]) -> None:
    assert "unread" not in found


def test_a_contradiction_is_told(found: Mapping[str, Found]) -> None:
    words = found["pinned by few requests: the seed would buy more"].words

    assert ("pinned", "over-subscribed") == (words["sound"], words["naive"])
    assert words["summary"].endswith("GPUs 99% busy at peak, SM active 30%, capacity used 30%")
    assert "pinned" == found["pinned, and the only one"].words["sound"]
    assert (
        found["without a profile"]
        .words["summary"]
        .endswith("capacity unknown: no scaling profile, or no replica scraped")
    )


def test_only_the_busiest_minutes_count(reader: Store, writer: Store) -> None:
    quiet, busy = range(1, 9 * MINUTES), range(9 * MINUTES, 10 * MINUTES + 5)
    loads = [(NOW_S - MINUTE_S * n, 1 if n in quiet else 3) for n in (*quiet, *busy)]
    send(writer, [request("peaky", at_s + n) for at_s, load in loads for n in range(load)])
    insert(writer, [gpu("peaky", at_s, 0.1 if load == 1 else 0.8) for at_s, load in loads])
    one = by_endpoint(asked(reader, RULE, NOW_S))["peaky"]

    assert "GPUs 80% busy" in one.words["summary"]
    assert one.words["minutes"] == f"{len(busy)} of {len(busy)} peak minutes were sampled"


@pytest.mark.parametrize(
    ("util", "name"),
    [(0.49, "over-provisioned"), (0.5, "low"), (0.7, "healthy"), (0.9, "healthy"), (0.91, "tight"), (0.95, "tight"),
     (0.96, "over-subscribed")],
)  # fmt: skip
def test_bands_are_those_of_the_seed(util: float, name: str) -> None:
    assert name == band(util)


@pytest.mark.parametrize(
    ("util", "rho", "expected"),
    [
        (0.90, 0.49, Capacity.PINNED),
        (0.89, 0.49, Capacity.FITTING),
        (0.90, 0.50, Capacity.FITTING),
        (0.69, 0.85, Capacity.HIDDEN_SATURATION),
        (0.70, 0.85, Capacity.FITTING),
        (0.95, 0.85, Capacity.FITTING),
        (0.96, 0.85, Capacity.OVER_SUBSCRIBED),
        (0.49, 0.49, Capacity.OVER_PROVISIONED),
        (0.49, 0.50, Capacity.FITTING),
        (0.50, 0.49, Capacity.FITTING),
    ],
)
def test_capacity_at_its_bounds(util: float, rho: float, expected: Capacity) -> None:
    assert expected is capacity(util, rho)


@pytest.mark.parametrize(("rho", "replicas", "expected"), [(0.42, 2, True), (0.43, 2, False), (0.1, 1, False)])
def test_a_replica_is_spare_if_the_others_carry_its_load(rho: float, replicas: float, expected: bool) -> None:
    assert expected is fewer_would_do(rho, replicas)
