"""What policies would have made of a target's traffic: over a real store, and as the command line has it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime

import msgspec
import pytest
import yaml
from test_hints_backtest_traffic import PROFILE
from whatif_rig import SINCE_S, UNTIL_S, asked, insert, target, told

from inferometer import hints_whatif
from inferometer.__main__ import outcome
from inferometer.hints_whatif import MEMORY_BYTES_MAX, REQUESTS_MAX, USAGE, said
from inferometer.hints_whatif_told import Refused, Said
from slo.hints_replayed import ReplayAsked, ReplayShown
from slo.hints_sight import Seen
from slo.hints_starts import HintStarts
from slo.hints_target import Hinted
from slo.problem import ProblemCode
from slo.scaling.lead import Came, Starts
from slo.scaling.state import State
from telemetry.clock import wall_ms
from telemetry.schema.loads import SCALING_PROFILES
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

CHAT = "whatif-chat"


@pytest.fixture(scope="module")
def store(process: StoreProcess) -> Iterator[Store]:
    insert(process, CHAT, 400)
    client = process.store("reader")
    yield client
    client.close()


def shown(process: StoreProcess, store: Store, of: Hinted, question: ReplayAsked) -> ReplayShown:
    found = said(told(process, os.getpid(), of, question), store).found
    assert found is not None
    return found


def refused(process: StoreProcess, store: Store, of: Hinted, question: ReplayAsked) -> Refused:
    found = said(told(process, os.getpid(), of, question), store).refused
    assert found is not None
    return found


def utc(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat()


def test_the_numbers_are_those_of_the_command_line(
    process: StoreProcess, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    one = target(CHAT, ttft_s=1.0, itl_s=0.05, usd_per_gpu_hour=2.0)
    one = replace(one, settings=replace(one.settings, target=replace(one.settings.target, gpus_per_replica=2)))
    found = shown(process, store, one, asked("ours", "hpa-running=4", "oracle", seeds=3))
    words = ["--recorded", CHAT, "--from", utc(SINCE_S), "--to", utc(UNTIL_S), "--data", str(process.data)]
    of = ["--policy", "ours,hpa-running=4,oracle", "--seeds", "3", "--gpus", "2", "--usd-per-gpu-hour", "2"]
    limits = ["--ttft-max", "1", "--tpot-max", "0.05", "--cold-start", str(found.cold_start_s), "--output", "json"]
    outcome(["hints", "backtest", *words, *of, *limits])
    printed = json.loads(capsys.readouterr().out)

    names = {"dominated_by": " ".join, "dominates": " ".join}
    rows = [
        {key: names[key](value) if key in names else value for key, value in asdict(row).items()}
        for row in found.policies
    ]
    assert printed["policies"] == rows
    assert (printed["winner"], 3, 400) == (found.winner, len(rows), found.requests)
    assert (1.0, 0.05, 0.99, 2) == (found.ttft_s, found.itl_s, found.objective_ratio, found.gpus_per_replica)
    assert found.keeps_objective
    assert () == found.notes


def test_what_a_target_leaves_out_is_taken_as_the_command_line_takes_it_and_told(
    process: StoreProcess, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    found = shown(process, store, target(CHAT), replace(asked("kpa"), objective_ratio=None))
    words = ["--recorded", CHAT, "--from", utc(SINCE_S), "--to", utc(UNTIL_S), "--data", str(process.data)]
    outcome(["hints", "backtest", *words, "--policy", "kpa", "--seeds", "2", "--gpus", "1", "--output", "json"])
    printed = json.loads(capsys.readouterr().out)

    assert printed["policies"][0]["attainment_ratio"] == found.policies[0].attainment_ratio
    assert printed["policies"][0]["gpu_h"] == found.policies[0].gpu_h
    assert (printed["cold_start_s"], printed["target_ratio"]) == (found.cold_start_s, found.objective_ratio)
    assert (2.0, 0.1, "none was measured") == (found.ttft_s, found.itl_s, found.cold_start_basis)
    assert found.engine_basis.endswith("the target has no scaling profile")
    assert ["neither ttft_s nor itl_s", "has no objective"] == [
        next(words for words in ("neither ttft_s nor itl_s", "has no objective") if words in note)
        for note in found.notes
    ]


def test_the_winner_has_the_manifest_of_the_target(process: StoreProcess, store: Store) -> None:
    one = target(CHAT, ttft_s=1.0, replicas_min=2, replicas_max=9)
    named = replace(one.settings.target, name="chat", namespace="prod")
    found = shown(process, store, replace(one, settings=replace(one.settings, target=named)), asked("ours"))
    scaled = yaml.safe_load(found.manifest or "")

    assert ("ours", 1.0, None) == (found.winner, found.ttft_s, found.itl_s)
    assert ("ScaledObject", "chat", "prod") == (
        scaled["kind"],
        scaled["metadata"]["name"],
        scaled["metadata"]["namespace"],
    )
    assert (2, 9) == (scaled["spec"]["minReplicaCount"], scaled["spec"]["maxReplicaCount"])


def test_another_winner_has_none_and_what_cannot_stand_in_one_is_told(process: StoreProcess, store: Store) -> None:
    one = target(CHAT, ttft_s=1.0)
    odd = replace(one.settings.target, namespace="a.b", gpus_per_replica=0)
    of = replace(one, settings=replace(one.settings, target=odd))

    assert None is shown(process, store, one, asked("kpa")).manifest
    assert (None, None) == (
        (found := shown(process, store, one, asked("oracle"))).winner,
        found.manifest,
    ), "who knows the future does not win"
    gpu, odd_name = shown(process, store, of, asked("ours")).notes
    assert gpu.startswith("its replicas have no GPU")
    assert odd_name.startswith("there is no manifest: namespace: found 'a.b'; allowed:")


def test_measured_starts_and_the_scaling_profile_are_what_is_replayed(process: StoreProcess, store: Store) -> None:
    insert(process, "whatif-measured", 100)
    one, now_ms = target("whatif-measured", ttft_s=2.0), wall_ms()
    speeds = ', "prefill_tokens_per_s": 5000, "step_alpha_us": 20000, "step_beta_us": 100, "kv_capacity_tokens": 1600'
    starts = ', "cold_start_s": {"p50": 90, "p90": 120, "n": 5}'
    writer = process.store("writer")
    rows = [("whatif-measured", "b", 2.0, now_ms - 9_000, now_ms + 9_000_000, PROFILE % (speeds + starts))]
    writer.insert_rows(SCALING_PROFILES, rows, "whatif-profile")
    tested = shown(process, store, one, asked("ours"))
    came = tuple(
        Came(replica=f"r{took_s}", asked_at_s=now_ms / 1000 - 600 - took_s, ready_at_s=now_ms / 1000 - 600)
        for took_s in (40, 50, 60)
    )
    states = {one.name: State(starts=Starts(came=came))}
    HintStarts(store, writer, [one]).keep(now_ms // 1000, states, {}, Seen(at_s=now_ms // 1000))
    writer.close()
    measured = shown(process, store, one, asked("ours"))

    assert (90.0, "p50 of 5 cold starts of the load test", "loadtest") == (
        tested.cold_start_s,
        tested.cold_start_basis,
        tested.engine_basis,
    )
    assert (50.0, "p50 of last 3 cold starts") == (round(measured.cold_start_s), measured.cold_start_basis)


def test_a_profile_without_speeds_is_told(process: StoreProcess, store: Store) -> None:
    insert(process, "whatif-slow", 50)
    now_ms, writer = wall_ms(), process.store("writer")
    rows = [("whatif-slow", "b", 2.0, now_ms - 9_000, now_ms + 9_000_000, PROFILE % "")]
    writer.insert_rows(SCALING_PROFILES, rows, "whatif-no-speeds")
    writer.close()

    assert "no step model" in shown(process, store, target("whatif-slow"), asked("kpa")).engine_basis


def test_only_requests_of_the_model_are_replayed(process: StoreProcess, store: Store) -> None:
    insert(process, "whatif-models", 60, model="a")
    insert(process, "whatif-models", 40, model="b")
    one = target("whatif-models")

    counts = [shown(process, store, replace(one, model=model), asked("kpa")).requests for model in ("", "a", "b")]
    assert [100, 60, 40] == counts


def test_no_traffic_and_too_much_of_it(process: StoreProcess, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    none = refused(process, store, target(CHAT), asked("ours", until_s=SINCE_S + 1))
    monkeypatch.setattr(hints_whatif, "REQUESTS_MAX", 400)
    most = shown(process, store, target(CHAT), asked("kpa")).requests
    monkeypatch.setattr(hints_whatif, "REQUESTS_MAX", 399)
    many = refused(process, store, target(CHAT), asked("kpa"))

    assert (ProblemCode.INVALID_REQUEST, "body.from") == (none.code, none.where)
    assert "found no request of 'whatif-chat' in that time; allowed: one or more" == none.text
    assert (400, "body.from") == (most, many.where)
    assert "found more than 399 requests of 'whatif-chat' in that time; allowed: a shorter one" == many.text
    assert REQUESTS_MAX > 100_000


def test_an_objective_that_no_replica_keeps(process: StoreProcess, store: Store) -> None:
    found = refused(process, store, target(CHAT, ttft_s=0.001), asked("ours"))

    assert (ProblemCode.CONFLICT, "") == (found.code, found.where)
    assert found.text.startswith("target whatif-chat: found no rate at which a replica keeps 99.0% within 0.001 s for")


def test_a_policy_that_nobody_has(process: StoreProcess, store: Store) -> None:
    found = refused(process, store, target(CHAT), asked("mine"))

    assert (ProblemCode.INVALID_REQUEST, "body.policy") == (found.code, found.where)


def test_a_store_that_is_gone(process: StoreProcess) -> None:
    gone = Store("http://127.0.0.1:1", request_s=1)

    assert ProblemCode.STORE_UNREACHABLE == refused(process, gone, target(CHAT), asked("ours")).code


def ran(process: StoreProcess, parent: int, code: str) -> subprocess.CompletedProcess[bytes]:
    """Run the process as it is, but for a line of code before."""
    text = msgspec.json.encode(told(process, parent, target(CHAT), asked("kpa"))).decode()
    argv = [
        sys.executable,
        "-c",
        f"import sys\nfrom inferometer import hints_whatif as of\n{code}\nsys.exit(of.main())",
    ]
    return subprocess.run([*argv, "--config", text], capture_output=True, check=False, timeout=60)


def test_it_takes_no_more_memory_than_it_may(process: StoreProcess, store: Store) -> None:
    del store  # it holds the traffic
    now = "import os; now = int(open('/proc/self/statm').read().split()[0]) * os.sysconf('SC_PAGE_SIZE')\n"
    # What so little traffic takes may still be free within the process: with it come 64 MiB that are not.
    heavy = "stored = of.stored; of.stored = lambda *told: (bytearray(64 << 20), stored(*told))[1]\n"
    little = ran(process, os.getpid(), now + heavy + "of.MEMORY_BYTES_MAX = now + (16 << 20)")
    found = msgspec.json.decode(little.stdout, type=Said).refused

    assert found is not None, little.stderr
    assert (ProblemCode.TOO_MUCH, True) == (found.code, "MiB; ask for a shorter time" in found.text)
    assert MEMORY_BYTES_MAX == 2 << 30


def test_it_ends_if_nobody_waits_for_it(process: StoreProcess) -> None:
    orphan = ran(process, 1, "")

    assert (1, b"") == (orphan.returncode, orphan.stdout)


def test_what_it_cannot_read_is_one_line() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "inferometer.hints_whatif", "--config", "{"], capture_output=True, check=False
    )

    assert (USAGE, b"", 1) == (found.returncode, found.stdout, found.stderr.count(b"\n"))
