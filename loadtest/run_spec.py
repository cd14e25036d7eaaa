"""Knows the parameters of one run as they travel from the command line to its processes; refuses to run anything.

The plan is a part of it; what stands beside the plan says where the load goes, how it is asked for, and which part of
the plan counts. Secrets do not travel: a key is the path of its file.

Source: spec/loadtest.md 2 to 6, 8; limits of safety: its head.
"""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from loadtest.ceilings import Ceilings
from loadtest.errors import PlanError
from loadtest.plan import Plan
from loadtest.plan_spec import PlanSpec
from loadtest.prompts import Calibration

IN_FLIGHT_MAX = 4096
"""Requests in flight of one worker."""
IDLE_S_MAX = 60.0
"""Longest wait for an engine to be idle before a run."""
WORKERS_MAX = 64
"""Most workers of a run."""

_Seconds = Annotated[float, Meta(ge=0.0, le=86_400.0)]
_Positive = Annotated[float, Meta(gt=0.0, le=86_400.0)]
_Rate = Annotated[float, Meta(gt=0.0)]
_Label = Annotated[str, Meta(max_length=256)]


class Api(StrEnum):
    """Which API is asked."""

    CHAT = "openai_chat"
    COMPLETIONS = "openai_completions"


class Phase(StrEnum):
    """Part of a run that an arrival belongs to, by its planned time."""

    WARM_UP = "warmup"
    MEASURED = "measured"
    COOL_DOWN = "cooldown"


class RunSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run.

    Attributes:
        run_id: Its name in every row.
        targets: URL of each arm of the plan.
        plan: What arrives when.
        directory: Where its files are written; made if missing.
        model: Model that is asked for.
        api: Which API.
        endpoint: Name of the endpoint in every row; empty: host and port of the target.
        region: Region in every row.
        variants: Name of each arm in the rows; empty: none.
        engine: Engine behind the endpoint, as the meter knows engines.
        warmup_s: Arrivals before this time do not count.
        cooldown_s: Nor do those of the last seconds.
        start_delay_s: From the go to the first instant of the plan, so that every worker is ready.
        drain_s: Longest wait for answers behind the last arrival; what is still open then is cut, and has timed out.
        in_flight_max: Cap of each worker.
        connect_s: Longest wait for a connection.
        first_token_s: Longest wait for a first token.
        stall_s: Longest silence behind it.
        total_s: Longest answer.
        ignore_eos: Ask for answers of exactly the planned length (vLLM, SGLang).
        include_usage: Ask for the usage chunk.
        salt: Makes prompts unlike those of an earlier run of the same seed.
        allowed_targets: Hosts, or HOST:PORT, that may be loaded beside this machine.
        key_file: File of the bearer token; None sends none.
        rss_bytes_max: Memory of a worker that ends the run.
        trace_path: File of the trace that the plan replays; None if it replays none.
        truth: The target is a null server: compare each stamp with the server's.
        ceiling_chunks_per_s: What one worker can take on this host, as calibrated; None if never.
        ceilings: What ends it early.
        calibration: How words become tokens at the first target; None: not asked yet, a word counts as a token.
        name: What a person calls the run.
        git_sha: Commit of what is tested.
    """

    run_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}\Z")]
    targets: Annotated[tuple[str, ...], Meta(min_length=1, max_length=2)]
    plan: PlanSpec
    directory: str
    model: _Label
    api: Api = Api.CHAT
    endpoint: _Label = ""
    region: _Label = ""
    variants: Annotated[tuple[_Label, ...], Meta(max_length=2)] = ()
    engine: _Label = "vllm"
    warmup_s: _Seconds = 0.0
    cooldown_s: _Seconds = 0.0
    start_delay_s: _Seconds = 3.0
    drain_s: _Seconds = 60.0
    in_flight_max: Annotated[int, Meta(ge=1, le=1_000_000)] = IN_FLIGHT_MAX
    connect_s: _Positive = 10.0
    first_token_s: _Positive = 60.0
    stall_s: _Positive = 30.0
    total_s: _Positive = 600.0
    ignore_eos: bool = True
    include_usage: bool = True
    salt: Annotated[str, Meta(max_length=64)] = ""
    allowed_targets: tuple[str, ...] = ()
    key_file: str | None = None
    rss_bytes_max: Annotated[int, Meta(ge=1 << 26)] = 4 << 30
    trace_path: str | None = None
    truth: bool = False
    ceiling_chunks_per_s: _Rate | None = None
    ceilings: Ceilings = Ceilings()
    calibration: Calibration | None = None
    name: _Label = ""
    git_sha: _Label = ""

    def __post_init__(self) -> None:
        """Refuse what each field alone allows."""
        if len(self.targets) != self.plan.arms:
            raise ValueError(f"targets: found {len(self.targets)}, allowed: one for each of {self.plan.arms} arms")
        if (self.plan.slots or 0) > self.in_flight_max:
            raise ValueError(f"slots: found {self.plan.slots}, allowed: the {self.in_flight_max} requests in flight")


class Window:
    """Which arrivals of a plan count.

    Attributes:
        end_ns: End of the plan, nanoseconds after its start: its duration, or its last arrival.
        last_ns: Its last arrival; of a closed loop, the end.
        measured_ns: First instant that counts, and the first that no longer does.
    """

    def __init__(self, run: RunSpec, plan: Plan) -> None:
        """Take the edges from the run."""
        last_ns = plan.t_sched_ns[-1] + 1 if len(plan) else 0
        duration_s = run.plan.duration_s
        self.end_ns = last_ns if duration_s is None else round(duration_s * 1e9)
        self.last_ns = last_ns if run.plan.slots is None else self.end_ns
        self.measured_ns = round(run.warmup_s * 1e9), self.end_ns - round(run.cooldown_s * 1e9)

    def phase(self, t_sched_ns: int) -> Phase:
        """Return the phase of a planned time, nanoseconds after the start."""
        first_ns, until_ns = self.measured_ns
        if t_sched_ns < first_ns:
            return Phase.WARM_UP
        return Phase.MEASURED if t_sched_ns < until_ns else Phase.COOL_DOWN


def encoded(run: RunSpec) -> bytes:
    """Return a run as JSON."""
    return msgspec.json.encode(run, order="deterministic")


def decoded(data: bytes) -> RunSpec:
    """Read a run.

    Raises:
        PlanError: It is not one; the message says where and why.
    """
    try:
        return msgspec.json.decode(data, type=RunSpec)
    except (msgspec.DecodeError, RecursionError) as error:
        raise PlanError(f"not a run: {error}") from error
