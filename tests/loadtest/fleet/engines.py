"""Engines, requests and fleets that several tests of the fleet use."""

from loadtest.fleet.engine import Engine
from loadtest.fleet.requests import Request, Wish
from loadtest.fleet.spec import ColdStart, FleetSpec

PLAIN = Engine(
    alpha_s=0.01, beta_s=0.0, gamma_s=0.0, prefill_s=0.0001, kv_blocks=1000, seqs_max=8, batched_tokens_max=1000
)
"""A step of 10 ms, 0.1 ms for each prompt token: 100 tokens in and 11 out take 20 + 100 ms."""


def asks(n: int, gap_s: float, tokens_in: int = 100, tokens_out: int = 11, wish: Wish | None = None) -> list[Request]:
    """Return requests at a steady pace, the first one at 0."""
    return [(at * gap_s, tokens_in, tokens_out, wish) for at in range(n)]


def fleet(replicas: int = 2, **changes: object) -> FleetSpec:
    """Return a fleet of plain engines that are ready at once."""
    usual: dict[str, object] = {"engine": PLAIN, "replicas": replicas, "cold": ColdStart(median_s=0.0, sigma=0.0)}
    return FleetSpec(**{**usual, **changes})  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] -- a table
