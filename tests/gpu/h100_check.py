"""One run on a real Hopper GPU: which calls of the driver work, and whether the sampler tells the truth under load.

Needs nvidia-ml-py and torch only. `OUT=folder python tests/gpu/h100_check.py`, from the root of the tree; writes
nvml_facts.json and samples.jsonl there, prints one line of JSON and exits 0 or 1. About 80 s.
"""

import argparse
import importlib
import itertools
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

import pynvml

from probes.nvml import Nvml
from probes.nvml_sample import COLUMNS, READINGS, Place, energy_increase_j, possible
from telemetry.clock import monotonic_ns, sleep, wall_ms

lib: Any = pynvml
PHASE_S = 10.0
PHASES = ("matmul", "idle", "copy")
SAMPLES_S = 60.0
EDGE_S = 2.0
"""Samples so close to a change of phase are not judged: the driver's own means span both."""


class Silent:
    """A board that nobody watches."""

    def enter(self, name: str, gpu_index: int, limit_s: float) -> None:
        """Nothing."""

    def leave(self) -> None:
        """Nothing."""


def now_s() -> float:
    return monotonic_ns() / 1e9


def load() -> None:
    """Alternate matrix products, rest and copies until the parent ends us; tell each change of phase."""
    gpu: Any = importlib.import_module("torch")  # the parent needs none
    left = gpu.randn(8192, 8192, device="cuda", dtype=gpu.bfloat16)
    right = gpu.randn(8192, 8192, device="cuda", dtype=gpu.bfloat16)
    source = gpu.empty(4 << 30, device="cuda", dtype=gpu.uint8)
    target = gpu.empty_like(source)
    work: dict[str, Any] = {
        "matmul": lambda: gpu.matmul(left, right),
        "copy": lambda: target.copy_(source),
        "idle": lambda: sleep(0.05),
    }
    for phase in PHASES * 4:
        work[phase]()
        gpu.cuda.synchronize()
        print(json.dumps({"phase": phase, "at_ms": wall_ms()}), flush=True)
        until = now_s() + PHASE_S
        while now_s() < until:
            for _ in range(20 if phase != "idle" else 1):
                work[phase]()
            gpu.cuda.synchronize()


def plain(value: object) -> object:
    """Return what JSON can say of an answer of the binding."""
    answer: Any = value
    if type(value) in {int, float, str, bool, type(None)}:
        return answer
    if type(value) in {list, tuple}:
        return [plain(one) for one in answer]
    names = [field[0] for field in answer._fields_] if hasattr(answer, "_fields_") else list(answer.__dict__)
    return {name: plain(getattr(answer, name)) for name in names} or repr(value)


def asked(name: str, *args: object) -> dict[str, Any]:
    """Call one function; return its answer or its error, and how long it took."""
    started = now_s()
    try:
        answer: dict[str, Any] = {"value": plain(getattr(lib, name)(*args))}
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is a fact to note
        answer = {"error": f"{type(error).__name__}: {error}", "code": getattr(error, "value", None)}
    return answer | {"us": round((now_s() - started) * 1e6)}


def field_facts(gpu: object) -> dict[str, Any]:
    """Return each numbered field that we read, in both scopes, and a few that we may come to read."""
    names = ["MEMORY_TEMP", "ECC_DBE_VOL_TOTAL", "ECC_DBE_AGG_TOTAL", "REMAPPED_PENDING", "REMAPPED_FAILURE"]
    names += ["NVLINK_THROUGHPUT_DATA_TX", "NVLINK_THROUGHPUT_DATA_RX", "PCIE_COUNT_TX_BYTES", "PCIE_COUNT_RX_BYTES"]
    names += ["TOTAL_ENERGY_CONSUMPTION", "POWER_INSTANT", "POWER_AVERAGE", "NVLINK_LINK_COUNT"]
    facts: dict[str, Any] = {}
    for name in names:
        field = getattr(lib, f"NVML_FI_DEV_{name}", None)
        for scope in (0, 0xFFFFFFFF):
            if field is None:
                facts[name] = "not in this binding"
                continue
            try:
                (told,) = lib.nvmlDeviceGetFieldValues(gpu, [(field, scope)])
                values = {member: getattr(told.value, member) for member in ("uiVal", "ullVal", "dVal")}
                facts[f"{name}/{scope:x}"] = {"return": told.nvmlReturn, "type": told.valueType, **values}
            except Exception as error:  # noqa: BLE001 -- as above
                facts[f"{name}/{scope:x}"] = f"{type(error).__name__}: {error}"
    return facts


def gpm_facts(gpu: object) -> dict[str, Any]:
    """Return every profiling metric of one second, by number."""
    try:
        before, after = lib.nvmlGpmSampleAlloc(), lib.nvmlGpmSampleAlloc()
        lib.nvmlGpmSampleGet(gpu, before)
        sleep(1)
        lib.nvmlGpmSampleGet(gpu, after)
        metrics = [*range(1, 14), 20, 21, 60, 61]
        told = lib.c_nvmlGpmMetricsGet_t()
        told.version, told.numMetrics = lib.NVML_GPM_METRICS_GET_VERSION, len(metrics)
        told.sample1, told.sample2 = before, after
        for at, metric in enumerate(metrics):
            told.metrics[at].metricId = metric
        lib.nvmlGpmMetricsGet(told)
        answer = {str(one.metricId): [one.nvmlReturn, one.value] for one in told.metrics[: len(metrics)]}
        lib.nvmlGpmSampleFree(before)
        lib.nvmlGpmSampleFree(after)
    except Exception as error:  # noqa: BLE001 -- as above
        return {"error": f"{type(error).__name__}: {error}"}
    return answer


def facts() -> dict[str, Any]:
    """Return what each call says on this machine."""
    lib.nvmlInit()
    gpu = lib.nvmlDeviceGetHandleByIndex(0)
    simple = ["Name", "UUID", "UtilizationRates", "MemoryInfo", "PowerUsage", "EnforcedPowerLimit", "MigMode"]
    simple += ["TotalEnergyConsumption", "CurrentClocksEventReasons", "CurrentClocksThrottleReasons", "RemappedRows"]
    simple += ["SupportedEventTypes", "ComputeRunningProcesses_v3", "MaxMigDeviceCount", "PersistenceMode"]
    told: dict[str, Any] = {f"nvmlDeviceGet{name}": asked(f"nvmlDeviceGet{name}", gpu) for name in simple}
    for name in ("nvmlSystemGetDriverVersion", "nvmlSystemGetNVMLVersion", "nvmlSystemGetCudaDriverVersion_v2"):
        told[name] = asked(name)
    told["nvmlDeviceGetCount"] = asked("nvmlDeviceGetCount")
    for name in ("nvmlDeviceGetTemperature", "nvmlDeviceGetTemperatureV"):
        told[name] = asked(name, gpu, 0)
    for clock in range(4):
        told[f"nvmlDeviceGetClockInfo {clock}"] = asked("nvmlDeviceGetClockInfo", gpu, clock)
        told[f"nvmlDeviceGetMaxClockInfo {clock}"] = asked("nvmlDeviceGetMaxClockInfo", gpu, clock)
    for direction in range(2):
        told[f"nvmlDeviceGetPcieThroughput {direction}"] = asked("nvmlDeviceGetPcieThroughput", gpu, direction)
    told["nvmlGpmQueryDeviceSupport"] = asked("nvmlGpmQueryDeviceSupport", gpu)
    told["nvmlGpmQueryIfStreamingEnabled"] = asked("nvmlGpmQueryIfStreamingEnabled", gpu)
    told["gpm"], told["fields"], told["events"] = gpm_facts(gpu), field_facts(gpu), event_facts(gpu)
    lib.nvmlShutdown()
    return told


def event_facts(gpu: object) -> dict[str, Any]:
    """Return how the set of error events behaves with no wait."""
    try:
        events = lib.nvmlEventSetCreate()
        told = {"register": asked("nvmlDeviceRegisterEvents", gpu, lib.nvmlEventTypeXidCriticalError, events)}
        told |= {"wait 0": asked("nvmlEventSetWait_v2", events, 0), "free": asked("nvmlEventSetFree", events)}
    except Exception as error:  # noqa: BLE001 -- as above
        return {"error": f"{type(error).__name__}: {error}"}
    return told


def call_times() -> dict[str, Any]:
    """Return how long a whole reading takes in our own reader, in microseconds."""
    nvml = Nvml(Silent())
    took = list[float]()
    for _ in range(20):
        started = now_s()
        nvml.read(0, Place(node="n"), lambda: 0)
        took.append((now_s() - started) * 1e6)
        sleep(0.11)
    nvml.close()
    return {"first_us": round(took[0]), "median_us": round(sorted(took)[10]), "max_us": round(max(took[1:]))}


def phase_of(ts: int, changes: list[dict[str, Any]]) -> str | None:
    """Return the phase of a sample; None before the first one and right after a change of phase."""
    begun = [change for change in changes if change["at_ms"] <= ts]
    return begun[-1]["phase"] if begun and ts - begun[-1]["at_ms"] >= EDGE_S * 1000 else None


def mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def energy(samples: list[dict[str, Any]]) -> tuple[float | None, float | None]:
    """Return the joules that the counter tells and those of the integrated power, by trapezoid."""
    known = [one for one in samples if one["power_w"] is not None and one["energy_j"] is not None]
    if len(known) < 2:
        return None, None
    pairs = list(itertools.pairwise(known))
    summed = sum((a["power_w"] + b["power_w"]) / 2 * (b["ts"] - a["ts"]) / 1000 for a, b in pairs)
    return energy_increase_j(known[0]["energy_j"], known[-1]["energy_j"]), summed


def impossible(samples: list[dict[str, Any]]) -> list[str]:
    numbers = [name for name in READINGS if name != "processes"]
    return sorted({n for one in samples for n in numbers if one[n] is not None and not possible(n, one[n])})


def judge(samples: list[dict[str, Any]], changes: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the summary: means by phase, energy, and each check with its verdict."""
    by_phase = {phase: [one for one in samples if phase_of(one["ts"], changes) == phase] for phase in PHASES}
    shown = ("gpu_util_ratio", "sm_ratio", "sm_occ_ratio", "tensor_ratio", "dram_bw_ratio", "power_w", "sm_mhz")
    means = {phase: {name: mean([one[name] for one in some]) for name in shown} for phase, some in by_phase.items()}
    counted_j, summed_j = energy(samples)
    off = abs(summed_j / counted_j - 1) if counted_j and summed_j else None
    tensor = {phase: means[phase]["tensor_ratio"] for phase in PHASES}
    checks = {
        "at least 55 samples": len(samples) >= 55,
        "every column is there": all(set(COLUMNS) <= one.keys() for one in samples),
        "counters present": sum(one["tensor_ratio"] is not None for one in samples) >= 0.9 * len(samples),
        "tensor pipes busy under products": (tensor["matmul"] or 0) > 0.5,
        "tensor pipes idle at rest": tensor["idle"] is not None and tensor["idle"] < 0.05,
        "bandwidth used by copies": (means["copy"]["dram_bw_ratio"] or 0) > 0.5,
        "energy agrees with power within 5 %": off is not None and off < 0.05,
        "nothing out of range": not impossible(samples)
        and not any("out_of_range" in str(one["missing"]) for one in samples),
    }
    return {
        "ok": all(checks.values()),
        "samples_n": len(samples),
        "judged_n": {phase: len(some) for phase, some in by_phase.items()},
        "checks": checks,
        "means": means,
        "energy_counter_j": counted_j,
        "energy_power_j": summed_j,
        "energy_off_ratio": off,
        "missing": sorted({entry for one in samples for entry in one["missing"]}),
        "processes_n_max": max((len(one["processes"] or ()) for one in samples), default=0),
    }


def sampled(out: Path, loader: list[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]], float]:
    """Run the load and the sampler beside each other; return samples, changes of phase, CPU seconds of the sampler."""
    with (out / "load.jsonl").open("wb") as told, subprocess.Popen(loader, stdout=told) as working:
        deadline = now_s() + 40
        while not (out / "load.jsonl").stat().st_size and now_s() < deadline and working.poll() is None:
            sleep(0.1)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        argv = [sys.executable, "-m", "probes.nvml_process", "--seconds", str(SAMPLES_S), "--interval", "1"]
        with (out / "samples.jsonl").open("wb") as lines, (out / "sampler.stderr").open("wb") as errors:
            subprocess.run(argv, stdout=lines, stderr=errors, timeout=SAMPLES_S + 45, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        working.terminate()
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    samples = [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]
    changes = [json.loads(line) for line in (out / "load.jsonl").read_text().splitlines() if line.startswith("{")]
    return samples, changes, cpu_s


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--load", action="store_true", help="be the load")
    parser.add_argument("--loader", nargs="+", default=[sys.executable, __file__, "--load"], help="another load")
    told = parser.parse_args()
    if told.load:
        load()
        return 0
    out = Path(os.environ.get("OUT", "."))
    known = facts() | {"binding": lib.__file__, "reading": call_times()}
    (out / "nvml_facts.json").write_text(json.dumps(known, indent=1))
    samples, changes, cpu_s = sampled(out, told.loader)
    summary = judge(samples, changes) | {"sampler_cpu_s": cpu_s, "reading": known["reading"], "changes_n": len(changes)}
    (out / "summary.json").write_text(json.dumps(summary, indent=1))
    print(json.dumps(summary))
    return 0 if summary["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
