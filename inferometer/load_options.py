"""Knows how what was typed becomes a run; refuses to ask the target and to start anything.

The ceilings of the configuration are held against the plan before a request is sent: a plan that passes one is refused.

Source: spec/loadtest.md 1 (verbs), 2 (plan), 6 (phases), 8 (lengths), safety in its head.
"""

import math
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, replace
from itertools import accumulate

import msgspec

from inferometer.errors import ConfigurationError
from inferometer.load_keys import LoadKeys
from inferometer.load_objectives import GOODPUT_RATIO
from loadtest.ceilings import Ceilings
from loadtest.errors import LoadError
from loadtest.plan import Plan
from loadtest.plan_spec import (
    ARRIVALS_MAX,
    Fixed,
    Length,
    Lognormal,
    Objectives,
    PlanSpec,
    Process,
    RateCurve,
    Separate,
    TraceSpec,
    WorkloadClass,
)
from loadtest.run_spec import IDLE_S_MAX, WORKERS_MAX, Api, RunSpec
from loadtest.steadiness import WARM_UP_S_MAX
from loadtest.traces import built

CHUNKS_PER_S_AND_SLOT = 50.0
"""Chunks a second of one user of a closed loop, as a busy engine sends them."""
CHUNKS_PER_S_AND_WORKER = 10_000.0
"""Chunks a second that one worker is planned for: a quarter of what one was seen to take (spec 4)."""
_NS = 1_000_000_000
_NO_LIMITS = Objectives()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was typed; described at the options of `inferometer load run`."""

    target: str
    rate: float
    seconds: float | None
    count: int | None
    process: Process
    shape: float | None
    seed: int
    model: str | None
    api: Api
    tokens_in: str
    tokens_out: str
    warm_up: float
    cool_down: float
    drain: float
    start_delay: float
    workers: int | None
    in_flight_max: int
    ignore_eos: bool
    key_file: str | None
    objectives: Objectives = _NO_LIMITS
    goodput_ratio: float = GOODPUT_RATIO
    engine_file: str | None = None
    trace: TraceSpec | None = None
    trace_path: str | None = None
    closed: int | None = None
    other_target: str | None = None
    idle_wait: float = IDLE_S_MAX
    abort_on_burn: bool | None = None
    burn_from: str | None = None
    burn_endpoint: str | None = None
    until_warm: bool = False
    name: str = ""
    git_sha: str = ""

    @property
    def targets(self) -> tuple[str, ...]:
        """Return each target."""
        return (self.target,) if self.other_target is None else (self.target, self.other_target)


def length(text: str, option: str) -> Length:
    """Read a number of tokens: `512`, or `512~0.6` for a lognormal with that median and sigma.

    Raises:
        ConfigurationError: It is neither.
    """
    median, tilde, sigma = text.partition("~")
    try:
        if tilde:
            return msgspec.convert({"kind": "lognormal", "median": int(median), "sigma": float(sigma)}, Lognormal)
        return msgspec.convert({"kind": "fixed", "tokens": int(median)}, Fixed)
    except (ValueError, msgspec.ValidationError):
        raise ConfigurationError(
            f"{option}: found {text!r}; allowed: a number of tokens, or MEDIAN~SIGMA of a lognormal, as 512~0.6"
        ) from None


def plan_spec(options: Options) -> PlanSpec:
    """Return the plan that was typed.

    Raises:
        ConfigurationError: It cannot be.
    """
    lengths = Separate(
        tokens_in=length(options.tokens_in, "--tokens-in"), tokens_out=length(options.tokens_out, "--tokens-out")
    )
    told = {
        "seed": options.seed,
        "process": options.process,
        "shape": options.shape,
        "rate": None if options.trace or options.closed else RateCurve(points=((0.0, options.rate),)),
        "slots": options.closed,
        "arms": len(options.targets),
        "trace": options.trace,
        "duration_s": options.seconds,
        "count": (options.count or ARRIVALS_MAX) if options.closed else options.count,
        "classes": (WorkloadClass(lengths=lengths, objectives=options.objectives),),
    }
    try:
        return msgspec.convert(msgspec.to_builtins(told), PlanSpec)
    except (ValueError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"not a plan: {error}") from None


def planned(spec: PlanSpec, keys: LoadKeys, trace_path: str | None = None) -> Plan:
    """Build a plan and hold it against the ceilings; a closed loop ends where its tokens or cost reach theirs.

    Args:
        spec: Its parameters.
        keys: The ceilings.
        trace_path: File of the trace that it replays, if it does.

    Raises:
        ConfigurationError: It cannot be built, or passes one.
    """
    try:
        plan = built(spec, trace_path)
    except LoadError as error:
        raise ConfigurationError(str(error)) from None
    if spec.slots is not None:
        plan = _within(spec, plan, ceilings(keys))
    last_s = plan.t_sched_ns[-1] / 1e9 if len(plan) else 0.0
    for name, found, most in (
        ("rate_rps_max", _rate(plan), keys.rate_rps_max),
        ("duration_s_max", spec.duration_s or last_s, keys.duration_s_max),
        ("tokens_max", sum(plan.len_in) + sum(plan.len_out), keys.tokens_max),
    ):
        if found > most:
            raise ConfigurationError(f"the plan has {found:.6g}, above load.{name} of {most:.6g}")
    _affordable(plan, keys)
    if not len(plan):
        raise ConfigurationError("the plan has no arrival: raise --rate, --seconds or --count")
    return plan


def with_warm_up(options: Options) -> Options:
    """Return the options with a plan that is long enough to become warm in, if that is asked for.

    Raises:
        ConfigurationError: Something else says when the measured part begins or ends.
    """
    if not options.until_warm:
        return options
    if options.warm_up or options.cool_down or options.count is not None or options.seconds is None:
        raise ConfigurationError("--until-warm: allowed: --seconds, and no --warm-up, --cool-down or --count")
    return replace(options, seconds=WARM_UP_S_MAX + options.seconds)


def must_measure(options: Options) -> None:
    """Refuse a warm-up that leaves nothing of the plan.

    Raises:
        ConfigurationError: It does.
    """
    seconds, off_s = options.seconds, options.warm_up + options.cool_down
    if seconds is not None and off_s >= seconds:
        raise ConfigurationError(f"--warm-up: found {off_s:g} s of {seconds:g} s; allowed: less than --seconds")


def ceilings(keys: LoadKeys) -> Ceilings:
    """Return what a run must not pass while it goes on."""
    return Ceilings(
        tokens_max=keys.tokens_max,
        cost_usd_max=keys.cost_usd_max,
        usd_per_mtok_in=keys.usd_per_mtok_in,
        usd_per_mtok_out=keys.usd_per_mtok_out,
    )


def _affordable(plan: Plan, keys: LoadKeys) -> None:
    """Hold the cost of a plan against its ceiling.

    Raises:
        ConfigurationError: It passes it, or nobody can tell.
    """
    if keys.cost_usd_max is None:
        return
    cost_usd = ceilings(keys).cost_usd(sum(plan.len_in), sum(plan.len_out))
    if cost_usd is None:
        raise ConfigurationError(
            "load.cost_usd_max is set and the price is not known: set load.usd_per_mtok_in and load.usd_per_mtok_out"
        )
    if cost_usd > keys.cost_usd_max:
        raise ConfigurationError(f"the plan costs {cost_usd:.6g}, above load.cost_usd_max of {keys.cost_usd_max:.6g}")


def run_spec(options: Options, plan: PlanSpec, keys: LoadKeys, *, run_id: str, directory: str, model: str) -> RunSpec:
    """Return the run that was typed.

    Raises:
        ConfigurationError: It cannot be.
    """
    try:
        return RunSpec(
            run_id=run_id,
            targets=options.targets,
            plan=plan,
            directory=directory,
            model=model,
            api=options.api,
            warmup_s=options.warm_up,
            cooldown_s=options.cool_down,
            drain_s=options.drain,
            start_delay_s=options.start_delay,
            in_flight_max=options.in_flight_max,
            ignore_eos=options.ignore_eos,
            key_file=options.key_file,
            trace_path=options.trace_path,
            allowed_targets=keys.allowed_targets,
            ceilings=ceilings(keys),
            name=options.name,
            git_sha=options.git_sha,
            salt=run_id,  # or prompts of an earlier run would be found in a prefix cache
        )
    except ValueError as error:
        raise ConfigurationError(f"not a run: {error}") from None


def workers(options: Options, plan: Plan, cores: int) -> int:
    """Return how many workers carry a plan out: what was typed, or enough for its chunks, and one core left over."""
    if options.workers is not None:
        return options.workers
    return min(max(1, math.ceil(chunks_per_s(plan) / CHUNKS_PER_S_AND_WORKER)), max(1, cores - 1), WORKERS_MAX)


def chunks_per_s(plan: Plan) -> float:
    """Return the output tokens a second that a plan asks for, which is about its chunks."""
    if plan.spec.slots is not None:
        return plan.spec.slots * CHUNKS_PER_S_AND_SLOT
    last_s = plan.t_sched_ns[-1] / 1e9 if len(plan) else 0.0
    return sum(plan.len_out) / last_s if last_s else 0.0


def _within(spec: PlanSpec, plan: Plan, most: Ceilings) -> Plan:
    """Return the plan of a closed loop with no more requests than stay below the ceilings, but one at least."""
    sums = list(zip(accumulate(plan.len_in, initial=0), accumulate(plan.len_out, initial=0), strict=True))

    def is_passed(count: int) -> bool:
        laps, rest = divmod(count, len(plan))  # requests behind the plan's are its own again
        return bool(most.passed(*(laps * whole + part for whole, part in zip(sums[-1], sums[rest], strict=True))))

    first = bisect_left(range((spec.count or ARRIVALS_MAX) + 1), True, key=is_passed)  # noqa: FBT003 -- what is sought
    return built(msgspec.structs.replace(spec, count=max(1, first - 1)), None)


def _rate(plan: Plan) -> float:
    """Return the greatest rate of a plan; that of a closed loop is up to the answers."""
    if plan.spec.slots is not None:
        return 0.0
    return _busiest(plan) if plan.spec.rate is None else max(rate for _, rate in plan.spec.rate.points)


def _busiest(plan: Plan) -> float:
    """Return the arrivals of the busiest second."""
    return float(max(Counter(t_ns // _NS for t_ns in plan.t_sched_ns).values(), default=0))
