"""Knows the keys of load tests: where they may go and how far; refuses to hold anything against them.

Source: spec/loadtest.md, safety in its head.
"""

from typing import Annotated

from pydantic import AfterValidator, Field

from inferometer.address import target_address
from inferometer.keys import Allowed, Section

HOSTS_MAX = 256
"""Most hosts that load tests may go to."""


def _checked(url: str | None) -> str | None:
    if url is not None:
        target_address(url)
    return url


Hosts = Annotated[
    tuple[str, ...], Field(max_length=HOSTS_MAX), Allowed(f"a list of at most {HOSTS_MAX} texts, HOST or HOST:PORT")
]
Rate = Annotated[float, Field(gt=0, le=1_000_000), Allowed("requests a second, above 0 and at most 1000000")]
Seconds = Annotated[float, Field(gt=0, le=86_400), Allowed("seconds, above 0 and at most 86400")]
Tokens = Annotated[int, Field(ge=1), Allowed("a whole number of tokens, at least 1")]
Usd = Annotated[float | None, Field(gt=0, le=1e9), Allowed("US dollars, above 0")]
Price = Annotated[float | None, Field(ge=0, le=1e6), Allowed("US dollars for a million tokens, at least 0")]
Url = Annotated[str | None, AfterValidator(_checked), Allowed("http://HOST:PORT, for example http://127.0.0.1:8200")]
Name = Annotated[str, Field(max_length=256), Allowed("a text of at most 256 characters")]
Switch = Annotated[bool, Allowed("true or false")]


class LoadKeys(Section):
    """Where load tests may go, and how far."""

    allowed_targets: Hosts = Field(default=(), description="Hosts that may be loaded beside this machine.")
    rate_rps_max: Rate = Field(default=10_000.0, description="Highest rate of a plan.")
    duration_s_max: Seconds = Field(default=86_400.0, description="Longest plan.")
    tokens_max: Tokens = Field(default=1_000_000_000, description="Most tokens of a run, prompts and answers.")
    cost_usd_max: Usd = Field(default=None, description="Most that a run may cost; needs both prices. Empty: no limit.")
    usd_per_mtok_in: Price = Field(default=None, description="Price of a million prompt tokens; empty: not known.")
    usd_per_mtok_out: Price = Field(default=None, description="Price of a million tokens of answers; likewise.")
    abort_on_burn: Switch = Field(default=False, description="End a run when a live objective burns fast.")
    burn_from: Url = Field(
        default=None, description="Who evaluates those objectives; empty: what runs on the data directory."
    )
    burn_endpoint: Name = Field(
        default="", description="Endpoint whose objectives count; empty: that of the target if it is ours, else all."
    )
