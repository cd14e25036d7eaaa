"""Knows the configuration keys of scaling hints: where targets are named, and what holds where one says nothing.

It refuses to follow targets.

Source: spec/scaling.md, seed defaults; `inferometer.hints_file` for the keys of a target.
"""

from pathlib import Path
from typing import Annotated, Any

import msgspec
from pydantic import Field

from inferometer import hints_file
from inferometer.hints_file import TTL_S_LEAST, TTL_S_MAX, Defaults
from inferometer.keys import Allowed, Section
from slo.hints_target import Hinted
from slo.scaling.confidence import TTL_S
from slo.scaling.schedule import PRE_SCALE_S
from slo.scaling.thresholds import QUEUE_DEPTH_HI

_File = Annotated[str | None, Allowed("the path of a file")]
_Depth = Annotated[float, Field(ge=1, le=1e6, allow_inf_nan=False), Allowed("requests per replica, 1 to 1000000")]
_Ahead = Annotated[int, Field(ge=0, le=86_400), Allowed("whole seconds from 0 to 86400")]
_Ttl = Annotated[
    float,
    Field(ge=TTL_S_LEAST, le=TTL_S_MAX, allow_inf_nan=False),
    Allowed(f"seconds from {TTL_S_LEAST} to {TTL_S_MAX}"),
]
_Usd = Annotated[float | None, Field(ge=0, le=1e4, allow_inf_nan=False), Allowed("US dollars an hour, 0 to 10000")]


class HintKeys(Section):
    """Scaling hints: how many replicas each target needs, and why."""

    targets: _File = Field(default=None, description="File of scaling targets; empty: no hints.")
    queue_depth_hi: _Depth = Field(
        default=QUEUE_DEPTH_HI, description="Requests waiting per replica from which one is added."
    )
    pre_scale_s: _Ahead = Field(
        default=PRE_SCALE_S, description="How long before a scheduled peak replicas are asked for, at least."
    )
    ttl_s: _Ttl = Field(default=TTL_S, description="How long a hint may be acted upon after what it rests on.")
    usd_per_gpu_hour: _Usd = Field(default=None, description="Price of a GPU; empty: not known.")

    @property
    def usual(self) -> Defaults:
        """What holds where a target says nothing."""
        return Defaults(
            queue_depth_hi=self.queue_depth_hi,
            pre_scale_s=self.pre_scale_s,
            ttl_s=self.ttl_s,
            usd_per_gpu_hour=self.usd_per_gpu_hour,
        )


def targets(keys: HintKeys, endpoint: str = "") -> tuple[Hinted, ...]:
    """Return the targets that are configured; with none, and an endpoint, that endpoint.

    Raises:
        ConfigurationError: The file is wrong.
    """
    if keys.targets:
        return hints_file.targets(Path(keys.targets).expanduser(), keys.usual)
    return (hints_file.usual_target(endpoint, usual=keys.usual),) if endpoint else ()


def told(found: tuple[Hinted, ...]) -> list[Any]:
    """Return targets as another process is handed them."""
    return [msgspec.to_builtins(one, order="sorted") for one in found]
