"""Knows the objectives of a load test: which were asked for, how a report says they were kept; refuses to run one.

Source: spec/loadtest.md 6 (goodput), 16 (presets), 18 (`attainment`, one JUnit case per objective), 1 (exit codes).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from inferometer.errors import ConfigurationError
from loadtest.cases import Case
from loadtest.conductor import EXIT_OK
from loadtest.goodput import Goodput, Share, verdict
from loadtest.plan_spec import Objectives, PlanSpec
from loadtest.presets import PRESETS
from loadtest.verdict import EXIT_CODES, Verdict

GOODPUT_RATIO = 0.99
"""Share of the requests that must keep every objective, unless said otherwise."""
_TIMES = ("ttft_s", "tpot_s", "e2e_s", "gap_s")


def objectives(slo: str | None, ttft_s: float | None, tpot_s: float | None) -> Objectives:
    """Return the objectives that were typed; a single limit replaces that of the preset.

    Raises:
        ConfigurationError: There is no such preset, or a limit cannot be.
    """
    if slo is not None and slo not in PRESETS:
        raise ConfigurationError(f"--slo: found {slo!r}; allowed: {', '.join(PRESETS)}")
    preset = PRESETS[slo] if slo is not None else None
    told = {
        "ttft_s": ttft_s if ttft_s is not None or preset is None else preset.ttft_s,
        "tpot_s": tpot_s if tpot_s is not None or preset is None else preset.tpot_s,
    }
    try:
        return msgspec.convert(told, Objectives)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"not an objective: {error}") from None


def limits(plan: PlanSpec) -> dict[str, Objectives]:
    """Return the objectives of each class."""
    return {one.name: one.objectives for one in plan.classes}


def are_asked(plan: PlanSpec) -> bool:
    """Return whether a plan has objectives at all."""
    return any(getattr(one.objectives, name) is not None for one in plan.classes for name in _TIMES)


def attainment(found: Goodput, ratio: float | None) -> dict[str, Any]:
    """Return what a report says of objectives.

    Args:
        found: How they were kept.
        ratio: Share of the requests that must; None if none were asked for, and then there is no verdict.
    """
    joint = found.joint
    return {
        "joint": joint.good / joint.judged if joint.judged else None,
        "good": joint.good,
        "judged": joint.judged,
        "wilson": [joint.low, joint.high],
        "by_objective": {name: msgspec.to_builtins(share) for name, share in found.shares.items()},
        "goodput_ratio": ratio,
        "verdict": None if ratio is None else verdict(joint, ratio).value,
    }


def code(ending: int, told: Mapping[str, Any]) -> int:
    """Return the exit code of a run: how it ended outranks how its objectives were kept.

    Args:
        ending: Exit code of the run itself.
        told: What the report says of objectives.
    """
    found = told["verdict"]
    return ending if ending != EXIT_OK or found is None else EXIT_CODES[Verdict(found)]


def cases(report: Mapping[str, Any]) -> list[Case]:
    """Return the verdicts of a report: the run itself, then each objective, of which an unfit run says nothing."""
    told, attained = report["verdict"], report["attainment"]
    run = _run(told)
    ratio = attained["goodput_ratio"]
    if ratio is None:
        return [run]
    shares = msgspec.convert(attained["by_objective"], dict[str, Share])
    return [run, *(_case(name, share, ratio, run.verdict) for name, share in shares.items())]


def _run(told: Mapping[str, Any]) -> Case:
    ended = told["ended"]
    found = {EXIT_OK: Verdict.PASSED, EXIT_CODES[Verdict.FAILED]: Verdict.FAILED}.get(ended, Verdict.INCONCLUSIVE)
    return Case(name="run", verdict=found, message=told["message"] or "sent as planned")


def _case(name: str, share: Share, ratio: float, run: Verdict) -> Case:
    found = verdict(share, ratio) if run is not Verdict.INCONCLUSIVE else Verdict.INCONCLUSIVE
    if share.low is None or share.high is None:
        return Case(name=name, verdict=found, message="no request says anything")
    words = f"{share.good} of {share.judged} kept it, 95 % interval {_percent((share.low, share.high))}"
    return Case(name=name, verdict=found, message=f"{words}, asked {100 * ratio:g} %")


def _percent(ends: Sequence[float]) -> str:
    return " to ".join(f"{100 * end:.2f} %" for end in ends)
