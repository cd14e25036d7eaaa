from pathlib import Path

import msgspec
import pytest

from inferometer import load_looks
from inferometer.load_guard_lines import ENGINE, GPU, Lines
from inferometer.load_looks import Looks, looks

WINDOW_NS = (1_000_000_000, 21_000_000_000)


def written(directory: Path) -> None:
    engine, gpu = (Lines(directory / name, 0) for name in (ENGINE, GPU))
    for second in range(30):
        for at, kv in enumerate((second / 100, 0.05)):
            engine.add(second * 1_000_000_000 + at, {"kv_used_ratio": kv})
            gpu.add(second * 1_000_000_000, {"gpu_util_ratio": 0.5 if at else None})
    engine.close()
    gpu.close()


def test_the_fullest_of_each_second_within_the_window_counts(tmp_path: Path) -> None:
    written(tmp_path)

    assert Looks(kv_used_p95=0.19, gpu_util_ratio=0.5) == looks(tmp_path, WINDOW_NS)


def test_where_nobody_looked_nothing_is_known(tmp_path: Path) -> None:
    assert Looks(kv_used_p95=None, gpu_util_ratio=None) == looks(tmp_path, WINDOW_NS)
    (tmp_path / ENGINE).write_bytes(msgspec.json.encode({"at_s": 2, "kv_used_ratio": None}) + b"\n{cut")
    assert looks(tmp_path, WINDOW_NS).kv_used_p95 is None


def counted(directory: Path, energy_j: list[float]) -> None:
    engine, gpu = (Lines(directory / name, 0) for name in (ENGINE, GPU))
    for second in range(30):
        for replica, hits in (("a", 3), ("b", 1)):
            told = {"replica": replica, "prefix_hits_total": hits * second, "prefix_queries_total": 10 * second}
            engine.add(second * 1_000_000_000, told)
    for second, joules in enumerate(energy_j):
        gpu.add(second * 1_000_000_000, {"gpu_uuid": "GPU-1", "energy_j": joules})
    engine.close()
    gpu.close()


def test_counters_tell_the_hits_of_the_cache_and_the_energy_of_the_window(tmp_path: Path) -> None:
    counted(tmp_path, [100.0 * second for second in range(30)])
    seen = looks(tmp_path, WINDOW_NS)

    assert (0.2, 2000.0) == (seen.prefix_hit_ratio, seen.energy_j)


@pytest.mark.parametrize("energy_j", [[0.0, 5.0], [900.0] * 10 + [1.0] * 20, []], ids=["one look", "anew", "no look"])
def test_energy_that_nobody_saw_is_not_known(tmp_path: Path, energy_j: list[float]) -> None:
    counted(tmp_path, energy_j)

    assert looks(tmp_path, WINDOW_NS).energy_j is None


def test_a_very_long_file_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path)
    monkeypatch.setattr(load_looks, "LOOKS_BYTES_MAX", 1)

    assert looks(tmp_path, WINDOW_NS).kv_used_p95 is None
