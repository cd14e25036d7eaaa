"""Knows the keys of load tests: where they may go and how far; refuses to hold anything against them.

Source: spec/loadtest.md, safety in its head.
"""

from typing import Annotated

from pydantic import Field

from inferometer.keys import Allowed, Section

HOSTS_MAX = 256
"""Most hosts that load tests may go to."""

Hosts = Annotated[
    tuple[str, ...], Field(max_length=HOSTS_MAX), Allowed(f"a list of at most {HOSTS_MAX} texts, HOST or HOST:PORT")
]
Rate = Annotated[float, Field(gt=0, le=1_000_000), Allowed("requests a second, above 0 and at most 1000000")]
Seconds = Annotated[float, Field(gt=0, le=86_400), Allowed("seconds, above 0 and at most 86400")]
Tokens = Annotated[int, Field(ge=1), Allowed("a whole number of tokens, at least 1")]


class LoadKeys(Section):
    """Where load tests may go, and how far."""

    allowed_targets: Hosts = Field(default=(), description="Hosts that may be loaded beside this machine.")
    rate_rps_max: Rate = Field(default=10_000.0, description="Highest rate of a plan.")
    duration_s_max: Seconds = Field(default=86_400.0, description="Longest plan.")
    tokens_max: Tokens = Field(default=1_000_000_000, description="Most tokens of a plan, prompts and answers.")
