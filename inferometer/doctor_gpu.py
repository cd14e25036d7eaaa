"""Knows how to tell which GPUs the driver lets us read, and what it keeps back; refuses to call the driver itself.

The sampler's own process does that, so a driver that hangs costs the time that is given here and nothing else.

Source: spec/ui.md 1.2 (gpu.nvml, gpu.gpm); spec/measurement.md 16.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from inferometer.doctor_finding import Finding, Level, note, ok, warn
from probes.nvml_process import Sampler
from probes.nvml_sample import Gap, GpuSample, Place
from telemetry.clock import monotonic_ns

LIMIT_S = 6.0
"""Longest time that the driver gets."""
SHOWN_MAX = 4
"""Missing readings that one line names."""
_INTERVAL_S = 0.2
_LOOK_S = 0.1
_PROFILED = ("sm_ratio", "sm_occ_ratio", "tensor_ratio", "dram_bw_ratio")
"""Readings that only the profiling counters give."""
_CONTAINER = "in a container: docker run --gpus all, or runtimeClassName: nvidia"
_FIXES: Mapping[str, str] = MappingProxyType(
    {
        Gap.LIBRARY_NOT_FOUND: _CONTAINER,
        Gap.DRIVER_NOT_LOADED: "load NVIDIA's kernel module (modprobe nvidia) and look into dmesg",
        Gap.DRIVER_CHANGED: "restart: driver and library are of different versions",
        Gap.NO_PERMISSION: "run as a user that may open /dev/nvidia*",
        Gap.HUNG: "look for XID errors in dmesg; the GPU may have to be reset",
    }
)
_GPM_FIXES: Mapping[str, str] = MappingProxyType(
    {
        Gap.NO_PERMISSION: "as root, or NVreg_RestrictProfilingToAdminUsers=0 (NVIDIA's ERR_NVGPUCTRPERM)",
        Gap.COUNTERS_HELD: "end what else reads the profiling counters (dcgm-exporter, Nsight)",
    }
)


def examine(limit_s: float = LIMIT_S) -> Iterator[Finding]:
    """Take two samples of every GPU: a reading between two samples is known by then."""
    samples, told = _sampled(limit_s)
    for sample in samples:
        yield from of_gpu(sample)
    if not samples:
        yield _nothing(told, limit_s)


def of_gpu(sample: GpuSample) -> Iterator[Finding]:
    """Return what one sample says about a GPU or slice: what it is, and whether its activity counters can be read."""
    missing = dict(entry.split(": ", 1) for entry in sample.missing)
    name = f"GPU {sample.gpu_index} {sample.gpu_name}{' slice' if sample.mig_uuid else ''}"
    which = sample.mig_uuid or sample.gpu_uuid
    memory = "" if sample.mem_total_bytes is None else f", {sample.mem_total_bytes / 2**30:.0f} GiB"
    lacking = sorted(field for field, reason in missing.items() if reason != Gap.WHOLE_GPU and field not in _PROFILED)
    reasons = ", ".join(f"{field} ({missing[field]})" for field in lacking[:SHOWN_MAX])
    more = f" and {len(lacking) - SHOWN_MAX} more" if len(lacking) > SHOWN_MAX else ""
    yield ok("gpu.nvml", f"{name}{memory}" + (f", without {reasons}{more}" if lacking else ""), which)
    yield _profiling(name, missing.get(_PROFILED[0]), which)


def _sampled(limit_s: float) -> tuple[list[GpuSample], list[dict[str, object]]]:
    """Return the last sample of each GPU and slice, and what went wrong meanwhile."""
    told: list[dict[str, object]] = []
    seen: dict[tuple[int, str], list[GpuSample]] = {}
    until_ns = monotonic_ns() + round(limit_s * 1e9)
    with Sampler(Place(node=os.uname().nodename), _INTERVAL_S, told.append, stderr=subprocess.DEVNULL) as sampler:
        while not told and monotonic_ns() < until_ns:
            for sample in sampler.step(_LOOK_S):
                seen.setdefault((sample.gpu_index, sample.mig_uuid), []).append(sample)
            if seen and all(len(samples) > 1 for samples in seen.values()):
                break
        before_the_end = list(told)
    return [samples[-1] for samples in seen.values()], before_the_end


def _nothing(told: list[dict[str, object]], limit_s: float) -> Finding:
    if not told:
        return warn("gpu.nvml", f"the driver did not answer in {limit_s:g} s", _FIXES[Gap.HUNG])
    reason = str(told[0].get("reason", "unknown"))
    if reason == Gap.LIBRARY_NOT_FOUND:
        return note("gpu.nvml", "no NVIDIA driver library (libnvidia-ml.so.1) here", _CONTAINER)
    return warn("gpu.nvml", f"no GPU could be read: {reason}", _FIXES.get(reason, ""), str(told[0].get("call", "")))


def _profiling(name: str, reason: str | None, which: str) -> Finding:
    if reason is None:
        return ok("gpu.gpm", f"{name}: the activity counters can be read", which)
    fix = _GPM_FIXES.get(reason, "")
    told = f"{name}: no activity counters ({reason}), plain utilisation is shown in their place"
    return Finding(
        id="gpu.gpm",
        level=Level.WARN if fix else Level.NOTE,
        finding=told,
        fix=fix,
        unlocks=("ep.gpu", "fleet.gpu"),
        evidence=which,
    )
