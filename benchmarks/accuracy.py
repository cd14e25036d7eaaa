"""Knows how far histogram percentiles are from the exact ones; no time is measured.

For each shape the p50, p95, p99, p99.9 of the scale-4 histogram against the nearest rank of the same values, and the
share below 1.1 s against the counted one. Beside them the fixed buckets of an engine's own TTFT histogram, read as
Prometheus reads them (linear within a bucket): what a dashboard on the engine's metrics would say of the same requests.

Source: spec/store.md 4.2, 4.3; LMDeploy, lmdeploy:time_to_first_token_seconds (the bounds, taken over from vLLM);
Prometheus, histogram_quantile.
"""

from bisect import bisect_left
from collections.abc import Sequence

from benchmarks.harness import Answer, Figure, main
from telemetry.histogram import build, fraction_below, quantile
from telemetry.percentile import P50, P95, P99, P999, nearest_rank
from telemetry.testing.distributions import SHAPES, SMOOTH, values_us

PERCENTILES = {"p50": P50, "p95": P95, "p99": P99, "p99.9": P999}
ENGINE_TTFT_S = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0),
)
THRESHOLD_S = 1.1


def measure(quick: bool) -> Answer:  # noqa: FBT001 - the harness hands it over by position
    """Compare every shape."""
    n = 200_000 if quick else 1_000_000
    figures: list[Figure] = []
    worst = {"smooth": 0.0, "any": 0.0, "engine buckets": 0.0}
    for name, shape in SHAPES.items():
        values = values_us(shape, n)
        h = build(values)
        for label, ppm in PERCENTILES.items():
            exact_us, found = nearest_rank(values, ppm), quantile(h, ppm / 1e6)
            if exact_us is None or found is None:
                raise ValueError("a shape without values")
            ours, theirs = found.estimate * 1e6 / exact_us - 1, _linear(values, ppm) * 1e6 / exact_us - 1
            figures.append(
                Figure(
                    name=f"{name} {label}",
                    value=100 * ours,
                    unit="%",
                    note=f"bound {100 * found.error_ratio_max:.2f} %; an engine's buckets {100 * theirs:+.1f} %",
                )
            )
            worst["any"] = max(worst["any"], abs(ours))
            worst["smooth"] = max(worst["smooth"], abs(ours) if name in SMOOTH else 0.0)
            worst["engine buckets"] = max(worst["engine buckets"], abs(theirs))
        share = fraction_below(h, THRESHOLD_S)
        true = sum(us <= THRESHOLD_S * 1e6 for us in values) / n
        if share is not None:
            figures.append(
                Figure(
                    name=f"{name} share below {THRESHOLD_S} s",
                    value=100 * (share.estimate - true),
                    unit="points",
                    note=f"bounds {100 * share.low:.2f} to {100 * share.high:.2f} %",
                )
            )
    ratios = {f"largest error, {name}": value for name, value in worst.items()}
    return Answer(benchmark="accuracy", figures=figures, ratios=ratios, setting={"values": n, "scale": 4})


def _linear(values: Sequence[int], ppm: int) -> float:
    """Return what `histogram_quantile` makes of the engine's buckets."""
    below = [bisect_left(values, int(end * 1e6) + 1) for end in ENGINE_TTFT_S]
    at = ppm / 1e6 * len(values)
    i = next((i for i, count in enumerate(below) if count >= at), len(below) - 1)
    start, before = (ENGINE_TTFT_S[i - 1], below[i - 1]) if i else (0.0, 0)
    inside = below[i] - before
    return start + (ENGINE_TTFT_S[i] - start) * (at - before) / inside if inside else ENGINE_TTFT_S[-1]


if __name__ == "__main__":
    main("accuracy", measure)
