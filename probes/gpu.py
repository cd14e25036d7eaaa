"""Knows how GPU samples become rows beside everything else that is asked; refuses to know the driver.

The sampler is a process of its own, so a thread that waits for its lines is all that runs here. On a machine without
the driver's library the thread ends after the first try, unless a GPU is expected.

Source: spec/measurement.md 16; spec/store.md 3 (`gpu_samples`).
"""

from operator import attrgetter
from threading import Event, Thread

from probes.nvml_process import Sampler
from probes.nvml_sample import Gap, GpuSample, Place
from probes.probe import Sink, Tell
from telemetry.samples import GpuRow

_STEP_S = 0.25
_STOP_S = 10.0
_COLUMNS = GpuRow.__struct_fields__
_values = attrgetter(*_COLUMNS)


def row_of(sample: GpuSample) -> GpuRow:
    """Return what is stored of a sample."""
    return GpuRow(**dict(zip(_COLUMNS, _values(sample), strict=True)))


class GpuFeed:
    """Samples of the GPUs of this machine, handed on as they come.

    Args:
        place: Where the GPUs are.
        interval_s: Time between two samples of one GPU.
        sink: Takes the rows, in the feed's own thread.
        tell: Takes what went wrong.
        expected: Keep trying although there is no driver library.
    """

    def __init__(self, place: Place, interval_s: float, sink: Sink, tell: Tell, *, expected: bool = False) -> None:
        self._sink, self._tell, self._expected = sink, tell, expected
        self._sampler = Sampler(place, interval_s, self._told)
        self._stop, self._said = Event(), ""
        self._thread = Thread(target=self._run, name="gpu-feed", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End thread and sampler."""
        self._stop.set()
        self._thread.join(_STOP_S)

    @property
    def is_alive(self) -> bool:
        """Whether samples may still come."""
        return self._thread.is_alive()

    def _run(self) -> None:
        with self._sampler as sampler:
            while not self._stop.is_set():
                if samples := sampler.step(_STEP_S):
                    self._sink([row_of(sample) for sample in samples])
                    if any(sample.mem_used_bytes is not None for sample in samples):
                        self._said = ""

    def _told(self, fields: dict[str, object]) -> None:
        """Say once what keeps happening, and give up where there is nothing to wait for."""
        reason = str(fields.get("reason", fields["event"]))
        if reason == Gap.LIBRARY_NOT_FOUND and not self._expected:
            self._stop.set()
            return
        if reason != self._said:
            self._said = reason
            self._tell(str(fields["event"]), reason=reason)
