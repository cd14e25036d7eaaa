"""What load tests keep stands in the store once, whoever was killed on the way, and is enough for a gate elsewhere."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from load_rig import NullServer, null_server
from rig import ROOT, Product, product, wait_until

from inferometer import load_files
from telemetry.clock import wall_ms
from telemetry.queries.profiles import profiles
from telemetry.spool import orphans
from telemetry.testing.store_process import StoreProcess

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

PLAN = [
    "--rate",
    "20",
    "--seconds",
    "4",
    "--warm-up",
    "0.5",
    "--tokens-in",
    "16",
    "--tokens-out",
    "4",
    "--workers",
    "1",
]
TRIES = int(os.environ.get("TEST_TRIES", "5"))
"""A machine that does other things meanwhile makes a client unfit, or runs unlike; then a run is made again."""
SWEEPS = 2
"""As often a sweep that found no rate is made again."""
BUSY = 4
DEATHS = 4


@pytest.fixture
def null() -> Iterator[NullServer]:
    with null_server("ttft_s=0.05", "itl_s=0.01") as server:
        yield server


def load(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "inferometer", "load", *words]
    env = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, env=env)


def one_run(url: str, data: Path) -> tuple[str, bool]:
    """Carry out a run; returns its id, and whether it was fit."""
    done = load("run", url, *PLAN, "--start-delay", "0.5", "--ttft-max", "2", "--goodput", "0.5", "--data", str(data),
                "--output", "json")  # fmt: skip
    assert done.returncode in {0, BUSY}, done.stderr
    told = json.loads(done.stdout)
    return told["run_id"], told["fit"]["state"] == "fit"


def counted(store: StoreProcess, table: str, by: str) -> dict[str, int]:
    """Count the rows of each fact."""
    reader = store.store("reader")
    sql = f"SELECT toString(tuple({by})) AS fact, count() AS n FROM inferometer.{table} GROUP BY {by}"  # noqa: S608 -- our own words
    lines = reader.raw(sql, output="JSONEachRow").splitlines()
    reader.close()
    return {row["fact"]: int(row["n"]) for row in map(json.loads, lines)}


def test_every_fact_is_stored_once_and_a_gate_elsewhere_reads_it(null: NullServer, tmp_path: Path) -> None:
    with StoreProcess(tmp_path / "data") as store:
        runs = [one_run(null.url, store.data) for _ in range(3)]
        saved = _saved(store, runs)
        while saved.returncode == BUSY and len(runs) < TRIES:
            assert "no baseline: " in saved.stderr
            assert {} == counted(store, "baselines", "baseline_id, created_at")
            runs.append(one_run(null.url, store.data))
            saved = _saved(store, runs)
        print(runs, saved.stderr)
        steps = counted(store, "load_steps", "run_id, step")
        assert {f"('{run_id}')": 1 for run_id, _ in runs} == counted(store, "load_runs", "run_id")
        assert {1} == set(steps.values())
        assert 2 * len(runs) <= len(steps)  # warm-up and measured; and what was still to answer
        requests = counted(store, "requests", "run_id, record_id")
        rows = [json.loads((store.data / "runs" / run_id / "receipt.json").read_text())["rows"] for run_id, _ in runs]
        assert (sum(rows), {1}) == (len(requests), set(requests.values()))
        assert [] == [path for path in orphans(store.data / "spool") if load_files.is_spool(path.name)]

        if saved.returncode == BUSY:  # too busy a machine for three alike runs; then there is nothing to gate against
            assert {} == counted(store, "baselines", "baseline_id, created_at")
            assert {} == counted(store, "audit", "object, action")
            gate = load("gate", runs[0][0], "--against", "b", "--data", str(store.data))
            assert (2, True) == (gate.returncode, "no baseline b in " in gate.stderr)
        else:
            assert 0 == saved.returncode
            _compared(store, runs[0][0], tmp_path)


def _saved(store: StoreProcess, runs: list[tuple[str, bool]]) -> "subprocess.CompletedProcess[str]":
    """Try to save the last three fit runs as a baseline; one that is not fit, where there are fewer."""
    fit = [run_id for run_id, is_fit in runs if is_fit] or [runs[0][0]]
    return load("baseline", "save", "b", *fit[-3:], "--data", str(store.data))


def _compared(store: StoreProcess, candidate: str, tmp_path: Path) -> None:
    """Promote the baseline that was saved, and gate a candidate here and elsewhere."""
    promoted = load("baseline", "promote", "b", "--reason", "it's fast", "--data", str(store.data))
    assert 0 == promoted.returncode
    assert {"('b',0)": 1, "('b',1)": 1} == counted(store, "baselines", "baseline_id, active")
    gates = _gates(store, candidate, tmp_path)
    assert [one["verdict"] for one in gates] == [gates[0]["verdict"]] * 2
    for here, there in zip(*(one["metrics"] for one in gates), strict=True):
        assert here["verdict"] == there["verdict"]
        assert here["n"] == there["n"]
        if isinstance(here["worse_ratio"], float):
            assert here["worse_ratio"] == pytest.approx(there["worse_ratio"], abs=0.02)


def _gates(store: StoreProcess, candidate: str, tmp_path: Path) -> list[dict[str, Any]]:
    """Gate a candidate where the baseline was made, and on a machine that knows the store alone."""
    words = ["gate", str(store.data / "runs" / candidate), "--against", "b", "--accept-partial-key", "--output", "json"]
    user = {"INFEROMETER_STORE__USER": "reader", "INFEROMETER_STORE__PASSWORD": store.secret("reader")}
    there = load(*words, "--data", str(tmp_path / "fresh"), "--store-url", store.url, **user)
    here = load(*words, "--data", str(store.data))
    assert "read from the store" in there.stderr
    assert "read from the store" not in here.stderr
    listed = load("baseline", "list", "--data", str(tmp_path / "fresh"), "--store-url", store.url, **user)
    assert (0, True) == (listed.returncode, f"from the store {store.url}" in listed.stderr)
    return [json.loads(one.stdout) for one in (here, there)]


@pytest.mark.beside  # whether a run was fit or not, its rows are stored
def test_a_shipper_that_is_killed_after_an_insert_doubles_nothing(null: NullServer, tmp_path: Path) -> None:
    data = tmp_path / "data"
    runs = [one_run(null.url, data)[0] for _ in range(3)]  # nine inserts: enough for as many deaths
    rows = [json.loads((data / "runs" / run_id / "receipt.json").read_text())["rows"] for run_id in runs]
    assert 2 * len(runs) == len(orphans(data / "spool"))  # requests, and what they came to
    with StoreProcess(data) as store:
        for nth in range(1, DEATHS + 1):
            words = [str(data), store.url, store.secret("writer"), str(nth)]
            dead = subprocess.run([sys.executable, "tests/system/ship_and_die.py", *words], cwd=ROOT, check=False)
            assert -signal.SIGKILL == dead.returncode
    with product(null.url, data) as up:
        os.kill(up.status()["children"]["observer"]["pid"], signal.SIGKILL)
        wait_until(lambda: sum(rows) <= up.count("traffic = 'loadtest'") and _told(up) >= 4 * len(runs), "rows")
        for table, by in (("load_runs", "run_id"), ("load_steps", "run_id, step"), ("requests", "record_id")):
            (row,) = up.rows(f"SELECT count() AS n, uniqExact({by}) AS facts FROM inferometer.{table}"  # noqa: S608 -- our own words
                             f" WHERE has({runs}, run_id)")  # fmt: skip
            assert row["n"] == row["facts"]
            assert int(row["n"]) >= len(runs)
        assert sum(rows) == up.count("traffic = 'loadtest'")


def _told(up: Product) -> int:
    """Return how many runs and phases are in the store."""
    (row,) = up.rows("SELECT (SELECT count() FROM load_runs) + (SELECT count() FROM load_steps) AS n")
    return int(row["n"])


def test_the_profile_of_a_sweep_is_read_back_as_it_was_written(null: NullServer, tmp_path: Path) -> None:
    with StoreProcess(tmp_path / "data") as store:
        steps = ["--around", "10", "--seconds", "6", "--warm-up", "0", "--steps-max", "1", "--goodput", "0.5"]
        short = ["--tokens-in", "16", "--tokens-out", "4", "--workers", "1", "--ttft-max", "2"]
        done = load("sweep", null.url, *steps, *short, "--data", str(store.data))
        for _ in range(1, SWEEPS):
            if done.returncode == BUSY:
                done = load("sweep", null.url, *steps, *short, "--data", str(store.data))
        reader = store.store("reader")
        found = [row for row in reader.query(profiles(wall_ms())) if row["target"] == null.url.removeprefix("http://")]
        reader.close()

    print(done.stdout, done.stderr)
    assert done.returncode in {0, BUSY}
    if done.returncode == BUSY:  # no profile of unfit runs
        assert [] == found
        assert [] == list((store.data / "runs").glob("*/profile.json"))
        assert list((store.data / "runs").glob("*/steps.csv"))
        return
    (file,) = (store.data / "runs").glob("*/profile.json")
    (row,) = found
    assert json.loads(file.read_text()) == json.loads(str(row["profile_json"]))
    assert row["mu_star_per_s"] == pytest.approx(json.loads(file.read_text())["goodput_rps"])
