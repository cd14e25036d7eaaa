"""Hints while things go wrong: metric loss, removed pods, clocks, phantom queues, kill -9 (acceptance A2, A9)."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hints_rig import Clock, Serving, World, aligned, inserted, target
from rig import ROOT, free_port, process, wait_until

from inferometer.hints_keys import told
from slo.scaling.codes import Action
from slo.scaling.hint import Hint
from telemetry.clock import sleep, wall_ms
from telemetry.queries import Question
from telemetry.queries.question import Select
from telemetry.testing.store_process import StoreProcess

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

NAME, LIVE = "chaos", "chaos-live"
AT_S = aligned(wall_ms() / 1000) - 3_600
KILLS_N_MIN = 4
_SAID = Question(
    sql=Select(
        columns=["toUnixTimestamp(instant) AS at_s", "seq", "hint_id", "action", "spec", "desired", "payload"],
        source="inferometer.hints",
        where=["target = {target:String}"],
        order_by=["instant"],
    ).text(),
    parameters={"target": NAME},
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    with StoreProcess(tmp_path_factory.mktemp("chaos") / "data") as running:
        worlds = [chaotic(), lively()]
        writer = running.store("writer")
        inserted(writer, worlds)
        writer.close()
        yield running


def chaotic() -> World:
    """Ten minutes in which everything that is looked at lies at some time."""
    world = World(NAME, AT_S)
    world.live(75)
    world.phantom = 5_000  # clients gave up; the engines' queues are empty
    world.live(60)
    world.phantom, world.collects = 0, False  # metric loss at what might be the peak
    world.live(120)
    world.collects = True
    world.up.remove("r3")  # a removed pod, whose series ends
    world.live(105)
    world.up.append("r3")
    world.busy = 0.97  # GPUs say full, the load says idle
    world.live(120)
    world.busy, world.rps = 0.1, 14.0  # and the other way round
    world.live(120)
    return world


def lively() -> World:
    """What two services see now, and a few minutes before."""
    world = World(LIVE, wall_ms() // 1000 - 90)
    world.live(240)
    return world


LAST_S = AT_S + 330


def test_no_number_is_smaller_for_what_is_missing_or_lies(store: StoreProcess, tmp_path: Path) -> None:
    reader, writer = store.store("reader"), store.store("writer")
    clock = Clock(AT_S)
    serving = Serving(reader, writer, tmp_path / "a.sqlite", [target("chaos-lies", endpoint=NAME)], clock)
    found = dict[int, Hint]()
    for late_s in (75, 120, 210, 225, 240, 255, 330, 345, 465, 585):
        if late_s == 330:
            clock.wall_s -= 900  # the clock goes back, and is set right again
            assert not serving.step()
        found[late_s] = serving.at(AT_S + late_s).hint("chaos-lies")

    assert all(hint.replicas.desired >= hint.replicas.spec >= 4 for hint in found.values())
    phantom = found[120]
    assert (Action.HOLD, 0.0) == (phantom.action, phantom.signals["waiting"].value)
    lost = [found[late_s] for late_s in range(210, 256, 15)]
    assert {(Action.NO_DATA, 4)} == {(hint.action, hint.replicas.desired) for hint in lost}
    removed = found[345]
    assert (4, 0.75) == (removed.replicas.spec, removed.signals["running"].coverage)
    pinned, hidden = found[465], found[585]
    assert (Action.HOLD, "pinned") == (pinned.action, pinned.gpu.label)
    assert (Action.SCALE_UP, "hidden_saturation") == (hidden.action, hidden.gpu.label)


def test_kills_at_any_moment_change_no_word_and_use_no_number_again(store: StoreProcess, tmp_path: Path) -> None:
    random = Random(7)  # noqa: S311 -- moments of a test
    argv = (str(store.data / "secrets"), str(tmp_path / "k.sqlite"), NAME, str(AT_S + 75), str(LAST_S))
    kills, code = 0, -1
    while code != 0:
        with child(store.url, *argv) as running:
            if kills <= KILLS_N_MIN:
                sleep(random.uniform(0.0, 0.6))
                running.kill()
                kills += 1
            code = running.wait(120)
    rows = store.store("reader").query(_SAID)
    again = Serving(
        store.store("reader"), store.store("writer"), tmp_path / "k.sqlite", [target(NAME)], Clock(float(LAST_S))
    ).at(LAST_S)
    elsewhere = Serving(
        store.store("reader"), store.store("writer"), tmp_path / "l.sqlite", [target(NAME)], Clock(float(LAST_S))
    ).at(LAST_S)

    assert kills > KILLS_N_MIN
    assert again.body(NAME) == elsewhere.body(NAME) == str(rows[-1]["payload"]).encode()
    assert_in_order(rows)


def assert_in_order(rows: Sequence[Mapping[str, Any]]) -> None:
    """Hold that each instant has one word, each number one hint, and that numbers ascend."""
    words: dict[int, set[str]] = {}
    ids: dict[int, set[str]] = {}
    for row in rows:
        words.setdefault(int(row["at_s"]), set()).add(str(row["payload"]))
        ids.setdefault(int(row["seq"]), set()).add(str(row["hint_id"]))
        assert int(row["desired"]) >= int(row["spec"]) >= 4
    seqs = [int(row["seq"]) for row in rows]

    assert {1} == {len(one) for one in words.values()}
    assert {1} == {len(one) for one in ids.values()}
    assert sorted(seqs) == seqs


def test_two_services_say_the_same_and_one_that_is_killed_says_it_again(store: StoreProcess, tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    with (
        serve(store, tmp_path, ports[0]) as first,
        serve(store, tmp_path, ports[1]),
    ):
        wait_until(lambda: all(hint(port) for port in ports), "hint of both")
        wait_until(lambda: hint(ports[0]) == hint(ports[1]), "same bytes of both", 20)
        before = json.loads(hint(ports[0]))
        first.kill()
        first.wait()
        with serve(store, tmp_path, ports[0]):
            wait_until(lambda: bool(hint(ports[0])), "hint after kill -9")
            wait_until(lambda: hint(ports[0]) == hint(ports[1]), "same bytes after kill -9", 20)
            after = json.loads(hint(ports[0]))

    assert (4, "hold") == (before["replicas"]["spec"], before["action"])
    assert after["seq"] >= before["seq"]
    assert (after["id"] == before["id"]) == (after["seq"] == before["seq"])


def hint(port: int) -> bytes:
    """Return what a service says now; nothing while it says none."""
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/v1/hints/{LIVE}", timeout=5)
    except httpx.HTTPError:
        return b""
    return answer.content if answer.status_code == 200 else b""


def serve(store: StoreProcess, folder: Path, port: int) -> "AbstractContextManager[subprocess.Popen[bytes]]":
    """Run a service of its own."""
    secrets = store.data / "secrets"
    config = {
        "host": "127.0.0.1", "port": port, "objectives": [], "ledger": str(folder / f"{port}.sqlite"),
        "replica": str(port), "store_url": store.url, "reader": "reader", "writer": "writer",
        "reader_password_file": str(secrets / "store_reader"), "writer_password_file": str(secrets / "store_writer"),
        "hints": told((target(LIVE),)),
    }  # fmt: skip
    argv = (sys.executable, "-m", "inferometer.serve", "--config", json.dumps(config))
    return process(*argv, log=folder / f"{port}.log")


def child(*argv: str) -> "subprocess.Popen[bytes]":
    """A service that has begun to follow instants of the past."""
    command = [sys.executable, str(ROOT / "tests/slo/hints_child.py"), *argv]
    env = {"PYTHONPATH": f"{ROOT}:{ROOT}/tests/slo"}
    running = subprocess.Popen(command, stdout=subprocess.PIPE, env=env, cwd=ROOT)
    assert running.stdout is not None
    running.stdout.readline()
    return running
