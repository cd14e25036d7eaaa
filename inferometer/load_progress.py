"""Knows how far a load test is, as one line for people; refuses to write it.

Source: spec/loadtest.md 3 (live view); issue: progress bar with ETA.
"""

from collections.abc import Mapping
from dataclasses import dataclass

BAR_CHARACTERS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is.

    Attributes:
        planned: Arrivals of the plan; None of a closed loop, whose answers say how many there are.
        end_s: Planned time of the last one, seconds after the start.
        elapsed_s: Since the start; negative before it.
    """

    planned: int | None
    end_s: float
    elapsed_s: float

    def line(self, told: Mapping[str, object]) -> str:
        """Return the line.

        Args:
            told: An event `progress` of the run.
        """
        if self.elapsed_s < 0:
            return f"load  starts in {-self.elapsed_s:.0f} s"
        sent = told.get("sent")
        share = min(1.0, self.elapsed_s / self.end_s) if self.end_s else 1.0
        filled = round(share * BAR_CHARACTERS)
        bar = "=" * filled + " " * (BAR_CHARACTERS - filled)
        left_s = max(0.0, self.end_s - self.elapsed_s)
        eta = f"ETA {int(left_s) // 60:02d}:{int(left_s) % 60:02d}" if left_s else "draining"
        count = f"{sent} sent" if self.planned is None else f"{sent}/{self.planned} sent"
        parts = [f"load {share:4.0%} [{bar}] {count}", f"{told.get('in_flight')} in flight"]
        parts += [f"{told[name]} {name}" for name in ("failed", "shed") if told.get(name)]
        ttft_ms = told.get("ttft_p50_ms")
        parts += [f"TTFT p50 {ttft_ms:.0f} ms"] if isinstance(ttft_ms, int | float) else []
        return "  ".join([*parts, eta])
