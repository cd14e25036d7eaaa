"""Knows how the file of scaling targets is written; refuses to follow any.

    targets:
      - name: llama70b-chat
        endpoint: chat                  # whose rows; the name, where it is left out
        gpus_per_replica: 4
        min_replicas: 2
        max_replicas: 12
        ttft_s: 2.0
        itl_s: 0.05
        slo: chat-good                  # objective whose burn and budget it heeds
        usd_per_gpu_hour: 2.0
        schedules:
          - {name: weekday-peak, cron: "0 14 * * 1-5", tz: America/New_York, duration: 3h, expected_rps: 20}

Source: spec/scaling.md, seed defaults and 1, 6.5 (schedule); design.md (errors name file, line, key, found, allowed).
"""

import re
from dataclasses import dataclass
from pathlib import Path

from inferometer import slo_files
from inferometer.errors import ConfigurationError
from slo import durations
from slo.documents import Findings, Section
from slo.errors import ObjectiveError
from slo.hints_target import TARGETS_MAX, Hinted
from slo.scaling.codes import Mode, ReplicaUnit, Role
from slo.scaling.confidence import TTL_S
from slo.scaling.preview import TOLERANCE
from slo.scaling.schedule import PRE_SCALE_S, Schedule, schedule
from slo.scaling.settings import Settings, Target
from slo.scaling.thresholds import QUEUE_DEPTH_HI
from slo.scaling.wants import QueueMode

NAME_CHARACTERS_MAX = 63
"""Longest name of a target or namespace; it becomes a label of Kubernetes."""
REPLICAS_MAX = 65_535
"""Most replicas that a row of the store holds."""
GPUS_MAX = 1_024
"""Most GPUs of one replica."""
SCHEDULES_MAX = 32
"""Schedules of one target."""
TTL_S_LEAST, TTL_S_MAX = 31, 3_600
"""Bounds of the time to live; trust falls from 30 s on."""

MOST_USUAL = 100
"""Most replicas where a target names no bound."""

_NAME = re.compile(r"[a-z0-9]([-a-z0-9._]*[a-z0-9])?")
_NAME_WORDS = f"lower-case letters, digits, '-', '_' and '.', at most {NAME_CHARACTERS_MAX}"
_MODES = (Mode.ADVISORY, Mode.ACTIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What holds where a target says nothing.

    Attributes:
        queue_depth_hi: Requests waiting per replica from which one is added.
        pre_scale_s: How long before a scheduled peak replicas are asked for.
        ttl_s: How long an observation may be acted upon.
        usd_per_gpu_hour: Price; None if unknown.
    """

    queue_depth_hi: float = QUEUE_DEPTH_HI
    pre_scale_s: int = PRE_SCALE_S
    ttl_s: float = TTL_S
    usd_per_gpu_hour: float | None = None


def targets(path: Path, usual: Defaults = Defaults()) -> tuple[Hinted, ...]:
    """Return the targets of a file, at least one, in its order.

    Raises:
        ConfigurationError: It cannot be read, or something in it is wrong; with file and line.
    """
    written = slo_files.documents(path)
    if len(written) != 1:
        raise ConfigurationError(f"{path}: found {len(written)} documents; allowed: one, with the key targets")
    findings = Findings()
    try:
        top = Section(written[0], "", findings)
        listed = list(top.sections("targets", required=True))
        top.end()
        if not 0 < len(listed) <= TARGETS_MAX:
            top.wrong("targets", f"a list of 1 to {TARGETS_MAX} targets", f"{len(listed)} targets")
        found = [_target(one, usual) for one in listed[:TARGETS_MAX]]
        _check_names(listed, found)
        findings.check()
    except ObjectiveError as error:
        raise ConfigurationError(str(error)) from None
    return tuple(found)


def usual_target(endpoint: str, model: str = "", usual: Defaults = Defaults()) -> Hinted:
    """Return the target that an endpoint is, where nobody named one: one replica or more, advice alone."""
    name = re.sub(r"[^a-z0-9._-]+", "-", endpoint.lower()).strip("-._")[:NAME_CHARACTERS_MAX] or "endpoint"
    return Hinted(settings=_settings(Target(name=name), usual), endpoint=endpoint, model=model)


def _settings(target: Target, usual: Defaults) -> Settings:
    return Settings(
        target=target,
        queue_depth_hi=usual.queue_depth_hi,
        usd_per_gpu_hour=usual.usd_per_gpu_hour,
        ttl_s=usual.ttl_s,
    )


def _target(one: Section, usual: Defaults) -> Hinted:
    target = _what(one)
    found = Hinted(
        settings=_told(one, target, usual),
        endpoint=one.text("endpoint") or target.name,
        model=one.text("model"),
        slo=one.text("slo"),
        objective_ratio=_number(one, "objective", 0, 0.999999),
        cold_penalty_usd=_number(one, "cold_penalty_usd", 0, 1e6),
    )
    one.end()
    return found


def _what(one: Section) -> Target:
    return Target(
        name=_name(one, "name", required=True),
        namespace=_name(one, "namespace"),
        variant=one.text("variant", most=NAME_CHARACTERS_MAX),
        role=one.choice("role", Role, default=Role.AGGREGATE) or Role.AGGREGATE,
        gpus_per_replica=_whole(one, "gpus_per_replica", (0, GPUS_MAX), 1),
        replica_unit=one.choice("replica_unit", ReplicaUnit, default=ReplicaUnit.POD) or ReplicaUnit.POD,
    )


def _told(one: Section, target: Target, usual: Defaults) -> Settings:
    zero = one.flag("zero_allowed", default=False)
    low = _whole(one, "min_replicas", (0 if zero else 1, REPLICAS_MAX), 0 if zero else 1)
    high = _whole(one, "max_replicas", (1, REPLICAS_MAX), max(MOST_USUAL, low))
    if high < low:
        one.wrong("max_replicas", f"at least min_replicas, which is {low}", str(high))
    price, tolerance = _number(one, "usd_per_gpu_hour", 0, 1e4), _number(one, "hpa_tolerance", 0, 1)
    return Settings(
        target=target,
        replicas_min=low,
        replicas_max=high,
        ttft_s=_number(one, "ttft_s", 0.001, 3_600),
        itl_s=_number(one, "itl_s", 0.0001, 60),
        mode=_mode(one),
        queue_mode=one.choice("queue_mode", QueueMode, default=QueueMode.SEED) or QueueMode.SEED,
        queue_depth_hi=_number(one, "queue_depth_hi", 1, 1e6) or usual.queue_depth_hi,
        schedules=_schedules(one, usual),
        zero_allowed=zero,
        usd_per_gpu_hour=usual.usd_per_gpu_hour if price is None else price,
        hpa_tolerance=TOLERANCE if tolerance is None else tolerance,
        ttl_s=_number(one, "ttl_s", TTL_S_LEAST, TTL_S_MAX) or usual.ttl_s,
    )


def _mode(one: Section) -> Mode:
    found = one.choice("mode", Mode, default=Mode.ADVISORY) or Mode.ADVISORY
    if found not in _MODES:
        one.wrong("mode", ", ".join(_MODES))
    return found


def _schedules(one: Section, usual: Defaults) -> tuple[Schedule, ...]:
    sections = list(one.sections("schedules"))
    if len(sections) > SCHEDULES_MAX:
        one.wrong("schedules", f"at most {SCHEDULES_MAX}", f"{len(sections)} schedules")
    return tuple(found for each in sections[:SCHEDULES_MAX] if (found := _schedule(each, usual)) is not None)


def _schedule(one: Section, usual: Defaults) -> Schedule | None:
    name = one.text("name", required=True, most=NAME_CHARACTERS_MAX)
    line, zone = one.text("cron", required=True), one.text("tz", required=True)
    asks: dict[str, float] = {"pre_scale_s": _duration(one, "pre_scale", usual.pre_scale_s)}
    for key, meant in (("expected_rps", "expected_rps"), ("min_replicas", "replicas_min")):
        value = one.number(key, "a number, 0 or more")
        asks |= {} if value is None else {meant: value}
    length_s = _duration(one, "duration", 3_600)
    one.end()
    if one.findings.errors:
        return None
    try:
        return schedule(name, line, zone, length_s, **asks)
    except ObjectiveError as error:
        one.findings.error(one.where, f"{one.key}: {error.key}", error.found, error.allowed)
        return None


def _duration(one: Section, name: str, usual_s: int) -> int:
    text = one.text(name)
    found = durations.seconds(text) if text else usual_s
    if found is None:
        one.wrong(name, "a whole number and one of m, h, d, w, for example 15m")
    return usual_s if found is None else found


def _name(one: Section, key: str, *, required: bool = False) -> str:
    text = one.text(key, allowed=_NAME_WORDS, required=required)
    if text and (len(text) > NAME_CHARACTERS_MAX or not _NAME.fullmatch(text)):
        one.wrong(key, _NAME_WORDS)
    return text


def _number(one: Section, name: str, low: float, high: float) -> float | None:
    """Return a number within bounds, both included; None if there is none, or it is a mistake."""
    words = f"a number from {low:g} to {high:g}"
    found = one.number(name, words)
    if found is None or low <= found <= high:
        return found
    one.wrong(name, words)
    return None


def _whole(one: Section, name: str, bounds: tuple[int, int], usual: int) -> int:
    """Return a whole number within bounds, both included; the default if there is none."""
    low, high = bounds
    words = f"a whole number from {low} to {high}"
    found = one.number(name, words)
    if found is None:
        return usual
    if found != int(found) or not low <= found <= high:
        one.wrong(name, words)
        return usual
    return int(found)


def _check_names(listed: list[Section], found: list[Hinted]) -> None:
    seen: set[str] = set()
    for section, one in zip(listed, found, strict=False):
        if one.name in seen:
            section.wrong("name", "a name that no other target has")
        seen.add(one.name)
