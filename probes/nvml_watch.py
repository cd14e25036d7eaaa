"""Knows which GPUs owe a sample, why they owe it, and when a failed sampler or GPU may be tried again; refuses to act.

A GPU that hung or was lost is left out by the next sampler for a while, so that it cannot blind us to the others; the
while doubles with each failure. Two slices that share a GPU come and go with its layout: one that is no longer reported
beside its GPU is forgotten, one whose GPU is silent owes a sample.

Source: spec/reliability.md 5.4; spec/measurement.md 16.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from random import Random

from probes.nvml_board import CALL_S_MAX
from probes.nvml_sample import Gap, GpuSample, Identity, Place, gap
from telemetry.backoff import Backoff

START_FIRST_S = 0.5
START_S_MAX = 30.0
"""Longest wait before a sampler is started again."""
REST_FIRST_S = 2.0
REST_S_MAX = 300.0
"""Longest time for which a failed GPU is left alone."""
LATE = 1.5
"""A GPU owes a sample when this many intervals have passed since its last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerConfig:
    """What a sampler process is told.

    Attributes:
        place: Where it runs.
        interval_s: Time between two rounds.
        call_s: Deadline of a call into the driver.
        board_fd: Inherited descriptor of the board.
        resting_s: GPUs to leave alone, by index, each for so many seconds from now.
    """

    place: Place
    interval_s: float
    call_s: float = CALL_S_MAX
    board_fd: int
    resting_s: Mapping[int, float] = field(default_factory=dict[int, float])

    def text(self) -> str:
        """Return it as a command line argument."""
        return json.dumps(asdict(self))

    @classmethod
    def of_text(cls, text: str) -> "SamplerConfig":
        """Read what `text` wrote."""
        told = json.loads(text)
        told["resting_s"] = {int(index): rest_s for index, rest_s in told["resting_s"].items()}
        return cls(**told | {"place": Place(**told["place"])})


@dataclass(slots=True, kw_only=True)
class _Owing:
    identity: Identity
    last_s: float


@dataclass(slots=True, kw_only=True)
class _Rest:
    backoff: Backoff
    until_s: float
    reason: Gap


class Watch:
    """What is known of the sampler's GPUs.

    Args:
        place: Where they are.
        interval_s: Time between two samples of one GPU.
        random: Source of the jitter of waits.

    Attributes:
        start_at_s: Monotonic instant before which no sampler is started.
    """

    def __init__(self, place: Place, interval_s: float, random: Random) -> None:
        self.start_at_s = 0.0
        self._place, self._interval_s, self._random = place, interval_s, random
        self._owing: dict[tuple[int, str], _Owing] = {}
        self._resting: dict[int, _Rest] = {}
        self._start = Backoff(random, first_s=START_FIRST_S, ceiling_s_max=START_S_MAX)
        self._reason = Gap.NO_SAMPLE

    def sampled(self, sample: GpuSample, now_s: float) -> None:
        """Note a sample."""
        index, slice_uuid = sample.gpu_index, sample.mig_uuid
        if not slice_uuid:
            self._forget_slices(index)
        self._owing[index, slice_uuid] = _Owing(identity=identity_of(sample), last_s=now_s)
        self._reason = Gap.NO_SAMPLE
        self._start.worked()
        if index in self._resting and now_s >= self._resting[index].until_s:
            del self._resting[index]

    def gpu_failed(self, gpu_index: int, reason: Gap, now_s: float) -> None:
        """Note that one GPU hung or was lost: the next sampler leaves it alone for a while."""
        rest = self._resting.get(gpu_index)
        backoff = rest.backoff if rest else Backoff(self._random, first_s=REST_FIRST_S, ceiling_s_max=REST_S_MAX)
        self._resting[gpu_index] = _Rest(backoff=backoff, until_s=now_s + backoff.failed(), reason=reason)

    def sampler_failed(self, reason: Gap, now_s: float) -> float:
        """Note that the sampler failed as a whole; returns the seconds to wait before the next one."""
        self._reason = reason
        wait_s = self._start.failed()
        self.start_at_s = now_s + wait_s
        return wait_s

    def resting_s(self, now_s: float) -> dict[int, float]:
        """Return for how many seconds each failed GPU is still to be left alone, by index."""
        return {index: rest.until_s - now_s for index, rest in self._resting.items() if rest.until_s > now_s}

    def gaps(self, now_s: float, unix_ms: int) -> list[GpuSample]:
        """Return a record without values for every GPU and slice that owes one; it then owes none until it is late."""
        late = [owing for owing in self._owing.values() if now_s - owing.last_s >= LATE * self._interval_s]
        for owing in late:
            owing.last_s = max(owing.last_s + self._interval_s, now_s - LATE * self._interval_s)
        return [gap(one.identity, self._place, unix_ms, self._reason_of(one.identity.gpu_index)) for one in late]

    def _reason_of(self, gpu_index: int) -> Gap:
        rest = self._resting.get(gpu_index)
        return rest.reason if rest else self._reason

    def _forget_slices(self, gpu_index: int) -> None:
        """Drop the slices that were not reported since the GPU's last own sample."""
        whole = self._owing.get((gpu_index, ""))
        for key, owing in list(self._owing.items()):
            if whole and key[0] == gpu_index and key[1] and owing.last_s < whole.last_s:
                del self._owing[key]


def identity_of(sample: GpuSample) -> Identity:
    """Return which GPU or slice a sample is of."""
    return Identity(
        gpu_index=sample.gpu_index, gpu_uuid=sample.gpu_uuid, mig_uuid=sample.mig_uuid, gpu_name=sample.gpu_name
    )
