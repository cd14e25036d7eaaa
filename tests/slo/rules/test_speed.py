"""Tokens a second follow demand, speed does not: the seed's preset beside a load test, on a real store."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pytest
from metrics_rig import NOW_S, World, asked, gpu, request, scrape

from slo.jump import Verdict
from slo.rules.rule import Found, Mode, Rule, Settings
from slo.rules.speed import ANSWERS, ThroughputBelowExpectedRule
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

RULE: Rule = ThroughputBelowExpectedRule(settings=Settings())
SILENT, TICKET, PAGE = Verdict.SILENT, Verdict.TICKET, Verdict.PAGE
STEP = {"step_alpha_us": 21_400, "step_beta_us": 484, "step_gamma_us": 0}
"""T(32) = 36.888 ms, T(64) = 52.376 ms: spec/loadtest.md 19."""
HELD = {"step_alpha_us": 0, "step_beta_us": 0, "step_gamma_us": 1}
T32_US, T64_US = 36_888, 52_376


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Answers of the last ten minutes.

    Attributes:
        tpot_us: Time per output token of all of them.
        running: Requests that the engine worked on.
        n: How many they are.
        tokens_out: Length of each; 900 tokens a second and two GPUs are above the seed's preset.
        told: What the profile says; None without one.
        engine: What else a scrape says.
        gpus: GPUs of the endpoint.
    """

    tpot_us: int = T32_US
    running: int | None = 32
    n: int = ANSWERS
    tokens_out: int = 8_000
    told: Mapping[str, object] | None = None
    engine: Mapping[str, object] | None = None
    gpus: int = 2

    def add_to(self, world: World, name: str) -> None:
        known = {"tpot_us": self.tpot_us, "tokens_out": self.tokens_out, "tok_by_s": (), "srv_prefill_us": 20_000}
        engine = {"running": self.running, "queued": 0} | dict(self.engine or {})
        world.requests += [request(name, NOW_S - 600 + 5 * n, **known) for n in range(self.n)]
        world.scrapes += [scrape(name, "r0", NOW_S - 890 + 10 * n, **engine) for n in range(88)]
        world.gpus += [gpu(name, NOW_S - 600, 0.5, index=index) for index in range(self.gpus)]
        if self.told is not None:
            world.profile(name, 3.243, self.told)


PLAIN = Served(told=STEP)
SERVED: dict[str, tuple[Served, tuple[Verdict, Verdict, bool]]] = {
    "as fast as in its load test": (PLAIN, (SILENT, SILENT, True)),
    "as fast, and hardly asked: the preset fires": (replace(PLAIN, tokens_out=20), (SILENT, TICKET, True)),
    "as slow as twice the load makes it": (replace(PLAIN, tpot_us=T64_US, running=64), (SILENT, SILENT, True)),
    "as slow as that without the load": (replace(PLAIN, tpot_us=T64_US), (TICKET, SILENT, True)),
    "as slow as 0.7 times its speed, of what requests hold": (
        replace(PLAIN, told=HELD, tpot_us=round(32 * (100 + 8_000 / 2) / 0.7)),
        (TICKET, SILENT, True),
    ),
    "at 61 % of its speed": (replace(PLAIN, tpot_us=round(T32_US / 0.61)), (TICKET, SILENT, True)),
    "at 59 % of its speed: many tokens, and slow": (replace(PLAIN, tpot_us=round(T32_US / 0.59)), (PAGE, SILENT, True)),
    "without a load test": (replace(PLAIN, told=None), (SILENT, SILENT, False)),
    "with a load test that has no step model": (replace(PLAIN, told={"wall": "kv_capacity"}), (SILENT, SILENT, False)),
    "asked too seldom": (replace(PLAIN, n=ANSWERS - 1, tpot_us=T64_US), (SILENT, SILENT, False)),
    "not scraped": (replace(PLAIN, engine={"up": 0, "running": None}, tpot_us=T64_US), (SILENT, SILENT, False)),
    "mute about what runs": (replace(PLAIN, running=None, tpot_us=T64_US), (SILENT, SILENT, False)),
    "warming up": (
        replace(PLAIN, engine={"extra": {"process_start_unix_s": NOW_S - 700}}, tpot_us=3 * T32_US),
        (SILENT, SILENT, False),
    ),
    "on GPUs that nobody sees": (replace(PLAIN, tokens_out=20, gpus=0), (SILENT, SILENT, True)),
}


def by_endpoint(found: Sequence[Found]) -> Mapping[str, Found]:
    return {one.labels["endpoint"]: one for one in found}


@pytest.fixture(scope="module")
def found(process: StoreProcess) -> Iterator[Mapping[str, Found]]:
    writer, reader = process.store("writer"), process.store("reader")
    world = World()
    for name, (served, _) in SERVED.items():
        served.add_to(world, f"is {name}")
    told = {**STEP, "prefill_tokens_per_s": 9_000, "roofline_ratio": 0.71, "wall": "bandwidth"}
    replace(PLAIN, told=told, engine={"queued": 3}).add_to(world, "beside")
    replace(PLAIN, tpot_us=round(T32_US / 0.7), tokens_out=20).add_to(world, "bounds")
    world.insert(writer)
    yield by_endpoint(asked(reader, RULE, NOW_S))
    writer.close()
    reader.close()


@pytest.mark.parametrize("served", SERVED)
def test_an_endpoint_that_is(served: str, found: Mapping[str, Found]) -> None:
    one = found[f"is {served}"]

    assert SERVED[served][1] == (one.sound, one.naive, one.is_known), one.words


def test_speed_is_told_at_its_load_point(found: Mapping[str, Found]) -> None:
    words = found["is as slow as that without the load"].words

    assert words["summary"].endswith(
        "an output token takes 52.4 ms, 36.9 ms in the load test with 32 running: 70% of its speed"
    )
    assert "444 tokens/s per GPU; the seed expects 120 to 200 per H100 for one 70B model" == words["naive"]
    assert found["is without a load test"].words["summary"].endswith("no baseline")
    assert "full" not in words


def test_what_stands_beside_decides_nothing(found: Mapping[str, Found]) -> None:
    one = found["beside"]

    assert (SILENT, True) == (one.sound, one.is_known)
    assert "5000 prompt tokens/s, 9000 in the load test" == one.words["prefill"]
    assert "71% of it in the load test, limited by bandwidth" == one.words["roofline"]
    # 100 answers of 8,000 tokens in 15 minutes, two GPUs.
    assert "444 tokens/s per GPU in 15 minutes in which requests waited" == one.words["full"]


def test_the_seed_alone_needs_no_load_test(reader: Store, found: Mapping[str, Found]) -> None:
    told = by_endpoint(asked(reader, ThroughputBelowExpectedRule(settings=Settings(mode=Mode.NAIVE)), NOW_S))

    assert not found["is without a load test"].is_known
    assert told["is without a load test"].is_known


def test_its_bounds_are_settings(reader: Store, found: Mapping[str, Found]) -> None:
    assert (TICKET, TICKET) == (found["bounds"].sound, found["bounds"].naive)
    lenient = Settings(threshold=0.31, options={"preset_tokens_per_s": 1})
    strict = Settings(options={"page_ratio": 0.29})

    for settings, expected in ((lenient, (SILENT, SILENT)), (strict, (PAGE, TICKET))):
        one = by_endpoint(asked(reader, ThroughputBelowExpectedRule(settings=settings), NOW_S))["bounds"]
        assert expected == (one.sound, one.naive)
