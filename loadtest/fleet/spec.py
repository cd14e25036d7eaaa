"""Knows what a simulated fleet is made of and what is done to it; refuses to know what it is asked.

Source: spec/scaling.md 7 (cold starts, failures, signals that come late).
"""

from dataclasses import dataclass, field

from loadtest.fleet.balance import Balance
from loadtest.fleet.engine import Engine
from loadtest.scaling_profile import Limits

REPLICAS_MAX = 1024
"""Most replicas of a fleet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdStart:
    """How long a replica takes from being asked for to ready: lognormal.

    Attributes:
        median_s: The middle; 0 is ready at once.
        sigma: Of the logarithm; 0 takes always as long.
        fail_ratio: Share of the starts that fail at their end and begin again, below 1.
    """

    median_s: float = 300.0
    sigma: float = 0.3
    fail_ratio: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """How what happens becomes known.

    Attributes:
        scrape_s: How often replicas are read.
        delay_s: From then until a policy may see it.
        window_s: What rates, means and tails are taken over; whole scrapes.
        stale_s: Age from which a value counts as missing.
        loss_ratio: Share of the scrapes of a replica that get lost.
        outages: Spans in which no scrape of any replica arrives, seconds of the simulation.
        linger_s: How long a replica that is gone still shows its last values.
    """

    scrape_s: float = 15.0
    delay_s: float = 2.0
    window_s: float = 60.0
    stale_s: float = 60.0
    loss_ratio: float = 0.0
    outages: tuple[tuple[float, float], ...] = ()
    linger_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSpec:
    """A fleet.

    Attributes:
        engine: Of each replica.
        replicas: Ready at the start.
        replicas_min: Fewest that may be asked for.
        replicas_max: Most.
        balance: Who gets a request.
        is_caching: Whether engines keep the beginnings of prompts.
        cold: How replicas start.
        life_s: Mean time from ready to a failure; None never.
        drain_max_s: How long a replica may finish what it holds; the rest is lost.
        held_max: Requests that wait while no replica is ready; more are turned away.
        slowness: Factors on the steps of the first replicas, in the order of their starts; 1 is as fast as the rest.
        signals: How what happens becomes known.
        limits: The objective.
        start_unix_s: Wall time of the simulation's zero.
    """

    engine: Engine
    replicas: int
    replicas_min: int = 1
    replicas_max: int = REPLICAS_MAX
    balance: Balance = Balance.ROUND_ROBIN
    is_caching: bool = False
    cold: ColdStart = field(default_factory=ColdStart)
    life_s: float | None = None
    drain_max_s: float = 300.0
    held_max: int = 10_000
    slowness: tuple[float, ...] = ()
    signals: Signals = field(default_factory=Signals)
    limits: Limits = field(default_factory=lambda: Limits(ttft_s=2.0, tpot_s=0.1, target=0.99))
    start_unix_s: float = 0.0

    def __post_init__(self) -> None:
        """Refuse bounds that no fleet can keep."""
        if not 0 <= self.replicas_min <= self.replicas <= self.replicas_max <= REPLICAS_MAX:
            raise ValueError(
                f"found {self.replicas} replicas of {self.replicas_min} to {self.replicas_max}, "
                f"allowed 0 to {REPLICAS_MAX}, ascending"
            )
        if not 0 <= self.cold.fail_ratio < 1 or not 0 <= self.signals.loss_ratio <= 1:
            raise ValueError("found a share outside of its bounds, allowed 0 to 1, below 1 for starts that fail")
