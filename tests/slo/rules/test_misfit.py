"""Work on a stack made for other work, on a real store: with the figures of both, and unknown where one is missing."""

from collections.abc import Sequence

import pytest
from metrics_rig import NOW_S, World, asked, request, scrape

from slo.cost import RHO_MAX
from slo.jump import Verdict
from slo.rules.misfit import (
    FLOWS,
    LONG_INPUTS,
    LONG_S,
    REQUESTS,
    BatchOnServerlessRule,
    EndpointOnBatchStackRule,
    WorkflowStatelessRule,
)
from slo.rules.rule import Found, Rule, Settings
from telemetry.record import RequestRecord
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

SILENT, TICKET = Verdict.SILENT, Verdict.TICKET
PRICES = {
    "usd_per_mtok_in": 2.0,
    "usd_per_mtok_out": 6.0,
    "gpu_usd_per_hour": 3.0,
    "prefill_tokens_per_s": 10_000.0,
    "decode_tokens_per_s": 1_000.0,
}
BATCH: Rule = BatchOnServerlessRule(settings=Settings(options=PRICES, min_events=20))
STACK: Rule = EndpointOnBatchStackRule(settings=Settings(options={"max_num_seqs": 32}))
STATELESS: Rule = WorkflowStatelessRule(settings=Settings())


def flow(endpoint: str, number: int, lengths: Sequence[int | None], **known: object) -> list[RequestRecord]:
    """Return steps whose prompts have these lengths, one after the other."""
    return [
        request(
            endpoint, NOW_S - 1_000 + 10 * at, flow_id=number, tokens_in=length, workload_class="workflow",
            elapsed_us=1_000_000, **known,
        )
        for at, length in enumerate(lengths)
    ]  # fmt: skip


def run(endpoint: str, number: int | None, n: int, **known: object) -> list[RequestRecord]:
    """Return the inputs of a batch run, one a second, each of 1,000 tokens read and 100 made."""
    plain: dict[str, object] = {"tokens_in": 1_000, "tokens_cache_read": 0, "tokens_out": 100, "elapsed_us": 1_000_000}
    plain |= {"workload_class": "batch", "flow_id": number}
    return [request(endpoint, NOW_S - 3_000 + at, **plain | known) for at in range(n)]


def waiting(endpoint: str, n: int, queue_us: int, **known: object) -> list[RequestRecord]:
    plain: dict[str, object] = {"ttft_us": 1_000_000, "tpot_us": 20_000, "tokens_in": 1_000, "tokens_out": 200}
    return [request(endpoint, NOW_S - 100 - at / 10, srv_queue_us=queue_us, **plain | known) for at in range(n)]


GROWS, SHRINKS, BEGINS_ANEW = (100, 300, 900), (100, 900, 300), (100, 110, 100)


@pytest.fixture(scope="module")
def reader(process: StoreProcess) -> Store:
    writer, world = process.store("writer"), World()
    numbers = iter(range(1, 10_000))
    workflows: dict[str, list[tuple[int, ...]]] = {
        "keeps": [GROWS] * FLOWS,
        "shrinks": [GROWS] * 15 + [SHRINKS] * 5,
        "anew": [GROWS] * 15 + [BEGINS_ANEW] * 5,
        "by-chance": [GROWS] * 18 + [SHRINKS] * 2,
        "few": [SHRINKS] * (FLOWS - 1),
        "alone": [(100,)] * FLOWS,
    }
    rows = world.requests
    rows += [row for name, of in workflows.items() for one in of for row in flow(name, next(numbers), one)]
    # Steps of another model are not compared, and neither is one whose length nobody knows.
    rows += [row for n in range(FLOWS) for row in flow("models", 10_000 + n, (900,), model="large")]
    rows += [row for n in range(FLOWS) for row in flow("models", 10_000 + n, (None, 100, None, 110), model="small")]
    rows += [request("unnumbered", NOW_S - 10, workload_class="workflow", flow_id=None)]
    rows += run("serverless", 20_001, 30) + run("serverless", None, 4)
    rows += run("cached", 20_002, 30, tokens_in=1_000, tokens_cache_read=1_000, tokens_out=1)
    rows += run("short", 20_003, 20)
    rows += run("lasting", 20_004, 2, elapsed_us=(LONG_S + 1) * 1_000_000)
    rows += run("no-tokens", 20_005, 30, tokens_out=None)
    rows += run("no-job", None, 5)
    for name, queue_us, tpot_us, n in (
        ("crowded", 600_000, 20_000, REQUESTS),
        ("slow", 600_000, 40_000, REQUESTS),
        ("quick", 400_000, 20_000, REQUESTS),
        ("rare", 600_000, 20_000, REQUESTS - 1),
        ("unloaded", 600_000, 20_000, REQUESTS),
    ):
        rows += waiting(name, n, queue_us, tpot_us=tpot_us)
        # The load test: 4 ms and 0.5 ms for each of 32 requests are 20 ms.
        world.profile(name, None, {"step_alpha_us": 4_000, "step_beta_us": 500})
        if name != "unloaded":
            world.scrapes += [scrape(name, "r0", NOW_S - at, running=32) for at in (60, 120)]
    rows += waiting("batch-class", REQUESTS, 900_000, workload_class="batch")
    world.insert(writer)
    writer.close()
    return process.store("reader")


def of(reader: Store, rule: Rule, endpoint: str) -> Found:
    (found,) = [one for one in asked(reader, rule, NOW_S) if one.labels["endpoint"] == endpoint]
    return found


@pytest.mark.parametrize(
    ("endpoint", "sound", "naive", "is_known"),
    [
        ("keeps", SILENT, SILENT, True),
        ("shrinks", TICKET, TICKET, True),
        ("anew", TICKET, TICKET, True),
        ("by-chance", SILENT, TICKET, True),
        ("few", SILENT, TICKET, False),
        ("unnumbered", SILENT, SILENT, False),
    ],
)
def test_a_workflow_that_loses_its_context_is_proven(
    reader: Store, endpoint: str, sound: Verdict, naive: Verdict, *, is_known: bool
) -> None:
    found = of(reader, STATELESS, endpoint)

    assert (found.sound, found.naive, found.is_known) == (sound, naive, is_known)


def test_steps_are_compared_within_their_model_and_one_step_is_no_flow(reader: Store) -> None:
    named = [one for one in asked(reader, STATELESS, NOW_S) if one.labels["endpoint"] in {"models", "alone"}]

    assert [(one.labels["endpoint"], one.labels["model"], one.sound) for one in named] == [("models", "small", SILENT)]
    assert "0 of 20 flows lost their context" in named[0].words["summary"]


def test_a_workflow_says_how_its_context_was_lost(reader: Store) -> None:
    assert (
        "5 of 20 flows lost their context (5 shrank, 0 began anew), proven 1"
        in of(reader, STATELESS, "shrinks").words["summary"]
    )
    assert "(0 shrank, 5 began anew)" in of(reader, STATELESS, "anew").words["summary"]
    assert "name no flow" in of(reader, STATELESS, "unnumbered").words["summary"]


@pytest.mark.parametrize(
    ("endpoint", "sound", "naive", "is_known"),
    [
        ("serverless", TICKET, TICKET, True),
        ("cached", TICKET, TICKET, True),
        ("short", SILENT, SILENT, True),
        ("lasting", TICKET, TICKET, True),
        ("no-tokens", SILENT, TICKET, False),
        ("no-job", SILENT, SILENT, False),
    ],
)
def test_a_long_run_is_held_against_a_replica_of_ones_own(
    reader: Store, endpoint: str, sound: Verdict, naive: Verdict, *, is_known: bool
) -> None:
    found = of(reader, BATCH, endpoint)

    assert (found.sound, found.naive, found.is_known) == (sound, naive, is_known)


def test_the_bill_and_the_cost_are_both_told(reader: Store) -> None:
    # 30,000 tokens read at 2 USD and 3,000 made at 6 USD a million; 3 s and 3 s of a replica at 85 % of its time.
    bill, own = 0.06 + 0.018, (3 + 3) / RHO_MAX / 3_600 * 3.0
    found = of(reader, BATCH, "serverless")
    dear = BatchOnServerlessRule(settings=Settings(options=PRICES, min_events=20, threshold=bill / own + 0.1))
    gpus = BatchOnServerlessRule(settings=Settings(options={**PRICES, "gpus_per_replica": 8}, min_events=20))

    assert f"a bill of 0.08 USD, {bill / own:.1f} times the 0.01 USD" in found.words["summary"]
    assert "1 long runs of 30 inputs, the longest 30 s" in found.words["summary"]
    assert (of(reader, dear, "serverless").sound, of(reader, gpus, "serverless").sound) == (SILENT, SILENT)
    assert LONG_INPUTS == 10_000


@pytest.mark.parametrize("name", PRICES)
def test_without_a_price_or_a_speed_a_bill_says_nothing(reader: Store, name: str) -> None:
    options = {key: value for key, value in PRICES.items() if key != name}
    found = of(reader, BatchOnServerlessRule(settings=Settings(options=options, min_events=20)), "serverless")

    assert (found.sound, found.naive, found.is_known) == (SILENT, TICKET, False)
    assert f"{name} not set" in found.words["summary"]


@pytest.mark.parametrize(
    ("endpoint", "sound", "naive", "is_known"),
    [
        ("crowded", TICKET, TICKET, True),
        ("slow", SILENT, TICKET, True),
        ("quick", SILENT, SILENT, True),
        ("rare", SILENT, TICKET, False),
        ("unloaded", SILENT, TICKET, False),
    ],
)
def test_users_who_wait_for_an_engine_that_is_full_and_fast_are_on_the_wrong_stack(
    reader: Store, endpoint: str, sound: Verdict, naive: Verdict, *, is_known: bool
) -> None:
    found = of(reader, STACK, endpoint)

    assert (found.sound, found.naive, found.is_known) == (sound, naive, is_known)


def test_the_share_the_load_and_the_speed_are_told(reader: Store) -> None:
    unset = EndpointOnBatchStackRule(settings=Settings())
    roomy = EndpointOnBatchStackRule(settings=Settings(options={"max_num_seqs": 64}))

    assert of(reader, STACK, "crowded").words["summary"] == (
        "crowded: 60% of the time to the first token is the engine's queue, 100% of its places are taken,"
        " at 100% of its speed"
    )
    assert "max_num_seqs is not set" in of(reader, unset, "crowded").words["summary"]
    assert of(reader, roomy, "crowded").sound is SILENT, "half of its places are free"
    assert not [one for one in asked(reader, STACK, NOW_S) if one.labels["endpoint"] == "batch-class"]
