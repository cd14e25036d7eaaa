"""The probe on a real GPU. `pytest -m gpu tests/gpu` where there is one; the load test beside it needs torch too."""

import subprocess
import sys

import pytest

from probes.nvml_sample import READINGS, decoded, possible

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(120)]
ALWAYS = ("gpu_util_ratio", "mem_used_bytes", "mem_total_bytes", "power_w", "energy_j", "temp_c", "sm_mhz")
"""What every data centre GPU without slices tells."""


def test_one_sample_of_each_gpu_is_true_or_says_what_is_missing() -> None:
    argv = (sys.executable, "-m", "probes.nvml_process", "--once")
    done = subprocess.run(argv, capture_output=True, check=False, timeout=90)
    samples = [decoded(line) for line in done.stdout.splitlines()]

    assert done.returncode == 0, done.stderr.decode()
    assert samples
    for sample in samples:
        named = {entry.split(": ")[0] for entry in sample.missing}
        unread = {name for name in READINGS if getattr(sample, name) is None} - {"xid"}
        assert unread == named - {"xid"}
        numbers = [name for name in READINGS if name not in unread and name not in {"xid", "processes"}]
        assert [name for name in numbers if not possible(name, getattr(sample, name))] == []
        assert sample.mig_uuid or unread.isdisjoint(ALWAYS)
