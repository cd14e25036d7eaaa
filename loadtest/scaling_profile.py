"""Knows what a sweep hands over to whoever scales; refuses to know how many replicas there should be.

    T(b)    = alpha + b (beta + gamma ctx)          time of a decode step with b requests
    e       = I_uncached / V_P + O T(b) / b         time that one request takes of a replica
    mu      ~ rho_max / e                           requests a second, where the mix is another than the tested one
    tau_q   = S_ttft - I / V_P                      how long a request may wait before its prompt is read
    queue   = tau_q mu_star                         how many may wait

Source: spec/loadtest.md 19.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

SCHEMA = "inferometer.scaling_profile/v1"
"""Name of the document."""
RHO_MAX = 0.85
"""Share of its time that a replica may be busy."""
VALID_S = 30 * 86_400
"""How long a profile holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepModel:
    """The time of a decode step.

    Attributes:
        alpha_s: Of an empty batch.
        beta_s: For each request.
        gamma_s: For each token that a request holds; 0 where all tests held as many.
        r2: Share of the variance that it explains; None if there is none.
    """

    alpha_s: float
    beta_s: float
    gamma_s: float
    r2: float | None

    def step_s(self, batch: float, context: float = 0.0) -> float:
        """Return the time of a step."""
        return self.alpha_s + batch * (self.beta_s + self.gamma_s * context)


def fitted_step(points: Sequence[tuple[float, float, float]]) -> StepModel | None:
    """Fit the model by least squares.

    Args:
        points: (batch, mean tokens held by a request, time per output token in seconds) of steps that were not
            overloaded.

    Returns:
        None if there are fewer than two different batches. No batch steps faster because it holds more: where that is
        what noise says, a token adds nothing.
    """
    if len({batch for batch, _, _ in points}) < 2:  # noqa: PLR2004 -- a line needs two points
        return None
    rows = [(1.0, batch, batch * context) for batch, context, _ in points]
    seen = [step_s for _, _, step_s in points]
    found = _least_squares(rows, seen)
    if found is None or found[2] < 0:
        found = _least_squares([row[:2] for row in rows], seen)
    if found is None:
        return None
    alpha, beta, gamma = (*found, 0.0)[:3]
    mean = sum(seen) / len(seen)
    around = sum((value - mean) ** 2 for value in seen)
    left = sum((value - alpha - beta * row[1] - gamma * row[2]) ** 2 for value, row in zip(seen, rows, strict=True))
    return StepModel(alpha_s=alpha, beta_s=beta, gamma_s=gamma, r2=1 - left / around if around else None)


def request_s(tokens_in: float, tokens_out: float, prefill_tokens_per_s: float, step_s: float, batch: float) -> float:
    """Return the time that one request takes of a replica.

    Args:
        tokens_in: Tokens of a prompt that no cache holds.
        tokens_out: Tokens of an answer.
        prefill_tokens_per_s: Speed of reading prompts.
        step_s: Time of a decode step with so many requests.
        batch: Those requests, above 0.
    """
    return tokens_in / prefill_tokens_per_s + tokens_out * step_s / batch


def queue_limits(
    limit_ttft_s: float, tokens_in: float, prefill_tokens_per_s: float, goodput_rps: float
) -> tuple[float, float]:
    """Return how long a request may wait, in seconds, and how many may; 0 where reading the prompt takes all of it."""
    wait_s = max(0.0, limit_ttft_s - tokens_in / prefill_tokens_per_s)
    return wait_s, wait_s * goodput_rps


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The objective that the profile is for."""

    ttft_s: float | None
    tpot_s: float | None
    target: float


class ProfileMix(msgspec.Struct, frozen=True, kw_only=True):
    """The mix that was tested; None where the target does not count tokens."""

    mix_id: str
    in_mean: float | None
    out_mean: float | None
    prefix_hit_ratio: float | None


class CurvePoint(msgspec.Struct, frozen=True, kw_only=True):
    """One rate of the sweep; None where it was not measured."""

    rate_rps: float
    attainment: float
    lo: float
    hi: float
    ttft_p95_s: float | None
    tpot_p95_s: float | None
    in_flight: float | None
    kv_used_p95: float | None
    gpu_util_ratio: float | None
    tokens_out_per_s: float | None


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """What a scaler may watch for."""

    tau_q_s: float | None
    queue_star: float | None
    kv_at_mu_star: float | None
    gpu_util_at_mu_star: float | None


class ColdStart(msgspec.Struct, frozen=True, kw_only=True):
    """How long a replica takes from its start to its first answer."""

    p50: float
    p90: float
    n: int


class ScalingProfile(msgspec.Struct, frozen=True, kw_only=True):
    """The document; `goodput_rps` is mu_star, what is not known is None, and times are ISO 8601 in UTC."""

    baseline_id: str
    run_ids: tuple[str, ...]
    defs_version: int
    made_at: str
    valid_until: str
    gpus_per_replica: int | None
    slo: Limits
    mix: ProfileMix
    goodput_rps: float
    accepted_rps: float
    rejected_rps: float | None
    knee_rps: float | None
    tokens_out_per_s: float | None
    curve: tuple[CurvePoint, ...]
    thresholds: Thresholds
    fit: str
    repeats: int
    cv: float | None
    prefill_tokens_per_s: float | None = None
    step_alpha_us: float | None = None
    step_beta_us: float | None = None
    step_gamma_us: float | None = None
    step_r2: float | None = None
    kv_capacity_tokens: int | None = None
    max_num_seqs: int | None = None
    rho_max: float = RHO_MAX
    wall: str | None = None
    roofline_ratio: float | None = None
    cold_start_s: ColdStart | None = None
    ready_to_stable_s: float | None = None
    schema: str = SCHEMA


def _least_squares(rows: Sequence[Sequence[float]], seen: Sequence[float]) -> tuple[float, ...] | None:
    """Return the coefficients of a small linear model; None if the rows do not determine them."""
    width = len(rows[0])
    scales = [max(abs(row[at]) for row in rows) or 1.0 for at in range(width)]
    scaled = [[value / scale for value, scale in zip(row, scales, strict=True)] for row in rows]
    table = [
        [sum(row[at] * row[other] for row in scaled) for other in range(width)]
        + [sum(row[at] * value for row, value in zip(scaled, seen, strict=True))]
        for at in range(width)
    ]
    for at in range(width):
        pivot = max(range(at, width), key=lambda line: abs(table[line][at]))
        table[at], table[pivot] = table[pivot], table[at]
        if abs(table[at][at]) < 1e-9 * len(rows):  # beside rows whose values are at most 1
            return None
        for line in range(width):
            if line != at:
                factor = table[line][at] / table[at][at]
                table[line] = [a - factor * b for a, b in zip(table[line], table[at], strict=True)]
    return tuple(table[at][width] / table[at][at] / scales[at] for at in range(width))
