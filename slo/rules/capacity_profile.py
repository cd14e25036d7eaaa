"""Knows what rules read of a scaling profile: how fast a step is, and what one replica carries; refuses to make one.

A step with b requests, which hold ctx tokens each, takes T(b) = alpha + b * (beta + gamma * ctx). The profile of an
endpoint is the one whose target has its name.

Source: spec/loadtest.md 19 (`inferometer.scaling_profile/v1`); spec/scaling.md 5 (mu* = rho_max / e, rho_max 0.85).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from slo.rules.rule import Row

RHO_MAX = 0.85
"""Share of its time that a replica works at its highest good rate, unless the profile says another one."""


class ProfileTold(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in a profile; None is not told.

    Attributes:
        rho_max: Share of its time that a replica works at `mu_star`.
        step_alpha_us: Length of an empty step, microseconds.
        step_beta_us: What each request adds to it.
        step_gamma_us: What each token adds to it that a request holds.
        prefill_tokens_per_s: Prompt tokens read in a second.
        roofline_ratio: Speed as a share of what the hardware allows.
        wall: What limits it.
    """

    rho_max: float = RHO_MAX
    step_alpha_us: float | None = None
    step_beta_us: float | None = None
    step_gamma_us: float | None = None
    prefill_tokens_per_s: float | None = None
    roofline_ratio: float | None = None
    wall: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a load test found of one replica of a target.

    Attributes:
        mu_star_per_s: Highest rate at which it keeps its objectives; None if not found.
        told: The rest.
    """

    mu_star_per_s: float | None
    told: ProfileTold

    def rho(self, per_s: float, replicas: float) -> float | None:
        """Return the share of their time that replicas work at a rate, above 1 if they cannot; None if unknown."""
        if not self.mu_star_per_s or not replicas:
            return None
        return self.told.rho_max * per_s / (replicas * self.mu_star_per_s)

    def step_us(self, running: float, ctx_tokens: float) -> float | None:
        """Return the length of a step at a load point, which is the time per output token; None if unknown."""
        told = self.told
        if told.step_alpha_us is None or told.step_beta_us is None:
            return None
        return told.step_alpha_us + running * (told.step_beta_us + (told.step_gamma_us or 0.0) * ctx_tokens)


def profiles_of(rows: Iterable[Row]) -> Mapping[str, Profile]:
    """Return the profiles by target; one that cannot be read is none."""
    found: dict[str, Profile] = {}
    for row in rows:
        try:
            told = msgspec.json.decode(row["profile_json"], type=ProfileTold)
        except msgspec.DecodeError:
            continue
        mu_star = row["mu_star_per_s"]
        found[row["target"]] = Profile(mu_star_per_s=None if mu_star is None else float(mu_star), told=told)
    return found
