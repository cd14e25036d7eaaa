"""Gate, A/B and scenarios on real processes, against null servers whose TTFT varies; one of them is slower, one leaks.

A machine that does other things meanwhile makes a client unfit: then no verdict may be given, and the tests hold that.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from load_rig import null_server

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

SPREAD = "ttft_sigma=0.1"
SHORT = ["--tokens-in", "16", "--tokens-out", "4", "--workers", "1"]
BUSY = 4


def load(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "inferometer", "load", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)


def reports(root: Path, names: Sequence[str]) -> list[dict[str, Any]]:
    return [json.loads((root / "runs" / name / "report.json").read_text()) for name in names]


def test_runs_that_are_alike_pass_and_slower_ones_fail(tmp_path: Path) -> None:
    """Two runs of each of three arms at once, 51 s each: a gate needs a hundred seconds of each arm."""
    engine = tmp_path / "engine.yaml"
    engine.write_text("engine: none\nflags: {}\n")
    words = ["--rate", "12", "--seconds", "51", "--start-delay", "6", "--idle-wait", "0", *SHORT]
    with null_server("ttft_s=0.05", "itl_s=0.005", SPREAD) as usual, null_server("ttft_s=0.075", "itl_s=0.005") as slow:

        def run(number: int) -> str:
            where = tmp_path / str(number)
            url = (slow if number >= 4 else usual).url
            done = load(
                "run", url, *words, "--engine", str(engine), "--data", str(where), "--runs", str(tmp_path / "runs")
            )
            files = [line.split()[1] for line in done.stderr.splitlines() if line.startswith("files: ")]
            assert files, (done.returncode, done.stderr)
            return files[0]

        with ThreadPoolExecutor(6) as pool:
            directories = list(pool.map(run, range(6)))
    baseline = [word for directory in directories[:2] for word in ("--against", directory)]
    alike, slower = (load("gate", *directories[at : at + 2], *baseline, "--output", "json") for at in (2, 4))

    fit = [one["fit"]["state"] == "fit" for one in reports(tmp_path, [Path(one).name for one in directories])]
    print(fit, alike.returncode, slower.returncode, slower.stderr)
    told = {one["metric"]: one for one in json.loads(slower.stdout)["metrics"]}
    assert 0.4 < told["ttft_p50"]["worse_ratio"] < 0.6
    assert abs({one["metric"]: one for one in json.loads(alike.stdout)["metrics"]}["ttft_p50"]["worse_ratio"]) < 0.1
    assert alike.returncode in {0, BUSY}  # percentiles of 1,200 requests may stay untold; nothing may fail
    assert slower.returncode == (3 if all((*fit[:2], *fit[4:])) else BUSY)


def test_two_targets_at_once_for_too_short(tmp_path: Path) -> None:
    words = ["--rate", "30", "--seconds", "12", "--warm-up", "2", *SHORT, "--data", str(tmp_path), "--output", "json"]
    with null_server("ttft_s=0.05", "itl_s=0.005", SPREAD) as usual, null_server("ttft_s=0.065", "itl_s=0.005") as slow:
        compared = load("ab", usual.url, slow.url, *words)

    told = {one["metric"]: one for one in json.loads(compared.stdout)["metrics"]}
    print(compared.stderr, told["ttft_p50"])
    assert 0.2 < told["ttft_p50"]["worse_ratio"] < 0.4
    assert (BUSY, "inconclusive") == (compared.returncode, told["ttft_p50"]["verdict"])
    assert "length: 10 s measured, needed: 100 s" in compared.stderr
    (directory,) = (tmp_path / "runs").iterdir()
    rows = [json.loads(line) for line in (directory / "requests.jsonl").read_text().splitlines()]
    pairs = {pair: [row for row in rows if row["j"] // 2 == pair] for pair in range(len(rows) // 2)}
    assert all({0, 1} == {row["arm"] for row in both} for both in pairs.values())
    assert {("a", 0), ("b", 1)} == {(row["variant"], row["arm"]) for row in rows}


def test_what_leaks_is_seen_by_a_soak(tmp_path: Path) -> None:
    words = ["--rate", "15", "--seconds", "16", "--warm-up", "2", *SHORT, "--output", "json"]
    with null_server("ttft_s=0.02", "itl_s=0.01", "leak_itl_s=0.00004", "leak_bytes=400000", "leak_kv=0.002") as server:
        done = load("soak", server.url, *words, "--data", str(tmp_path))

    print(done.stderr)
    found = {one["metric"]: one for one in map(json.loads, done.stdout.splitlines())}
    assert found["tpot"]["low"] > 0.2  # 210 answers add 8 ms to 10
    assert found["rss"]["low"] > 0.5  # and 84 MB to 38
    assert found["kv"]["low"] > 0.2  # and 42 % of the cache
    assert 0 == found["bad"]["growth"]
    is_busy = "run: " in done.stderr
    assert (BUSY if is_busy else 3) == done.returncode
    verdicts = {found[name]["verdict"] for name in ("tpot", "rss", "kv")}
    assert ({"inconclusive"} if is_busy else {"fail"}) == verdicts


def test_a_spike_fills_a_queue_and_is_over(tmp_path: Path) -> None:
    words = ["--rate", "10", "--times", "5", "--for", "3", "--before", "4", "--after", "11", *SHORT, "--output", "json"]
    with null_server("ttft_s=0.05", "itl_s=0.005", "capacity_rps=25") as server:
        done = load("spike", server.url, *words, "--data", str(tmp_path))

    told = json.loads(done.stdout)
    print(told, done.stderr)
    assert told["during_p95_s"] > 1  # 150 requests come, 75 are answered meanwhile
    assert 2 < told["back_s"] < 9  # the rest is a queue of 75, which shrinks by 15 a second
    assert done.returncode in {0, BUSY}


def test_the_first_requests_are_told(tmp_path: Path) -> None:
    with null_server("ttft_s=0.05", "itl_s=0.005") as server:
        done = load(
            "cold", server.url, "--count", "6", "--tokens-in", "16", "--data", str(tmp_path), "--output", "json"
        )

    told = json.loads(done.stdout)
    assert 6 == told["n"]
    assert 0.04 < told["steady_ttft_s"] < 0.2
    assert done.returncode in {0, BUSY}
