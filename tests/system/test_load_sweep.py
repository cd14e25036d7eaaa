"""The verbs on kept runs and the search, on real processes: a null server with a capacity, runs, gate, profile."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from load_rig import null_server

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

SHORT = ["--tokens-in", "16", "--tokens-out", "4", "--workers", "1"]
BUSY = 4
"""A machine that does other things meanwhile makes a client unfit; then no verdict may be given."""


def load(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "inferometer", "load", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)


def report(directory: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((directory / "report.json").read_text())
    return told


def test_a_rate_above_the_capacity_is_rejected_and_the_profile_is_written(tmp_path: Path) -> None:
    limits = ["--ttft-max", "0.3", "--goodput", "0.9"]
    with null_server("ttft_s=0.02", "itl_s=0.005", "capacity_rps=30") as server:
        steps = ["--around", "50", "--seconds", "4", "--warm-up", "0", "--steps-max", "2", "--output", "json"]
        done = load("sweep", server.url, *steps, *limits, *SHORT, "--data", str(tmp_path))

    print(done.stdout, done.stderr)
    curve = [json.loads(line) for line in done.stdout.splitlines()]
    runs = sorted((tmp_path / "runs").glob("*-?"))
    (directory,) = {path.with_name(path.name.partition("-")[0]) for path in runs}
    assert [str(point["rate_rps"]) for point in curve] == [
        row["rate_rps"] for row in csv.DictReader((directory / "steps.csv").read_text().splitlines())
    ]
    if done.returncode == BUSY:
        assert not (directory / "profile.json").exists()
        return
    assert ["reject"] == [point["verdict"] for point in curve if point["rate_rps"] == 40.0]
    profile = json.loads((directory / "profile.json").read_text())
    assert (0, "inferometer.scaling_profile/v1", 40.0) == (done.returncode, profile["schema"], profile["rejected_rps"])
    assert 20.0 == profile["goodput_rps"]
    assert set(profile["run_ids"]) <= {path.name for path in runs}
    assert "not in the store yet: no store runs" in done.stderr


def test_without_a_guess_closed_loops_come_first(tmp_path: Path) -> None:
    limits = ["--ttft-max", "0.3", "--goodput", "0.9", "--output", "json"]
    with null_server("ttft_s=0.02", "itl_s=0.005", "capacity_rps=30") as server:
        steps = ["--seconds", "3", "--warm-up", "0", "--steps-max", "1"]
        done = load("sweep", server.url, *steps, *limits, *SHORT, "--data", str(tmp_path))

    print(done.stdout, done.stderr)
    assert "1 users, closed loop" in done.stderr
    assert done.returncode in {0, 3, BUSY}
    if done.returncode == 0:
        (point,) = (json.loads(line) for line in done.stdout.splitlines())
        assert 15 < point["rate_rps"] < 26  # 0.8 of what 16 users get of 30 a second
        profile = json.loads(next((tmp_path / "runs").glob("*/profile.json")).read_text())
        model = [profile[f"step_{name}_us"] for name in ("alpha", "beta", "gamma")]
        assert model == [None] * 3 or min(model) >= 0  # each step takes as long here: what it grows by is noise
        assert {"closed", "open"} == {report(path)["key"]["loop"] for path in (tmp_path / "runs").glob("*-*")}


def test_a_hopeless_step_ends_early(tmp_path: Path) -> None:
    limits = ["--ttft-max", "0.3", "--goodput", "0.9", "--output", "json"]
    with null_server("ttft_s=0.02", "itl_s=0.005", "capacity_rps=30") as server:
        steps = ["--around", "100", "--seconds", "20", "--warm-up", "0", "--steps-max", "1"]
        done = load("sweep", server.url, *steps, *limits, *SHORT, "--data", str(tmp_path))

    print(done.stdout, done.stderr)
    early = report(next((tmp_path / "runs").glob("*-0")))
    assert 32 <= early["population"]["n"] < 80 * 20 / 2, "80 a second for 20 s were planned"
    assert "enough" == early["verdict"]["halt"]
    assert done.returncode in {3, BUSY}
    if done.returncode == 3:
        assert "reject" == json.loads(done.stdout)["verdict"]


def test_a_sweep_of_users_is_labelled_and_finds_no_rate(tmp_path: Path) -> None:
    with null_server("ttft_s=0.02", "itl_s=0.005", "capacity_rps=60") as server:
        words = ["--closed", "--seconds", "3", "--warm-up", "0.5", "--output", "json", "--data", str(tmp_path)]
        done = load("sweep", server.url, *words, *SHORT)

    print(done.stdout, done.stderr)
    curve = [json.loads(line) for line in done.stdout.splitlines()]
    assert [2**k for k in range(len(curve))] == [point["users"] for point in curve]
    assert {point["loop"] for point in curve} <= {"closed"}
    assert done.returncode in {0, BUSY}
    if done.returncode == 0:
        assert 40 < max(point["rate_rps"] for point in curve) < 66
    assert [] == list((tmp_path / "runs").glob("*/profile.json"))


def test_a_slower_server_fails_its_objective_and_a_short_run_no_gate(tmp_path: Path) -> None:
    data = ["--data", str(tmp_path)]
    plan = ["--rate", "40", "--count", "120", *SHORT, "--start-delay", "0.5", "--ttft-max", "0.2", "--goodput", "0.9"]
    codes: list[int] = []
    for ttft in ("ttft_s=0.05", "ttft_s=0.25"):
        with null_server(ttft, "itl_s=0.005") as server:
            codes.append(load("run", server.url, *plan, *data, "--output", "junit").returncode)
    before, after = sorted((tmp_path / "runs").iterdir())
    gate = load("gate", after.name, "--against", before.name, *data, "--accept-partial-key", "--output", "junit")

    print(codes, gate.stdout, gate.stderr)
    suite = ET.fromstring(gate.stdout)  # noqa: S314 -- our own text
    failed = {case.get("name") for case in suite if case.find("failure") is not None}
    fit = [report(directory)["fit"]["state"] for directory in (before, after)]
    assert [0 if fit[0] == "fit" else BUSY, 3 if fit[1] == "fit" else BUSY] == codes
    assert (BUSY, set()) == (gate.returncode, failed)
    assert "length: 3 s measured" in gate.stderr  # ttft_p50 is +400 %, of 120 requests that shared one queue
    assert {"joint", "default/ttft"} <= {
        case.get("name")
        for case in ET.fromstring((after / "junit.xml").read_text())  # noqa: S314
    }
    assert "load run http://" in json.loads((after / "receipt.json").read_text())["rerun"]


@pytest.mark.beside  # a plan is what it is, on a busy machine too
def test_a_trace_is_sent_at_its_own_times(tmp_path: Path) -> None:
    trace = Path(__file__).parent.parent / "fixtures" / "traces" / "azure.csv"
    with null_server("ttft_s=0.02", "itl_s=0.005") as server:
        words = ["--format", "azure", "--seconds", "1", "--workers", "1", "--output", "json", "--data", str(tmp_path)]
        done = load("replay", str(trace), server.url, *words)

    (directory,) = (tmp_path / "runs").iterdir()
    rows = [json.loads(line) for line in (directory / "requests.jsonl").read_text().splitlines()]
    assert done.returncode in {0, BUSY}
    assert [0, 52_000, 98_189, 140_684, 444_994, 539_187, 698_571] == [row["t_sched_us"] for row in rows]
    assert [(4808, 10), (3180, 8), (110, 27)] == [(row["len_in"], row["len_out"]) for row in rows[:3]]
    assert [10, 8, 27] == [row["tokens_out"] for row in rows[:3]]
