"""Knows whether a release may go on, and why not; refuses to stop it.

fail: a page fires, less of a budget is left than is asked for, a freeze is on, or the policy wants an approval that
nobody has given. inconclusive: nobody looks, too little is seen, or there are too few requests to tell. A failure that
is seen counts for more than what is not seen. A silence keeps nothing from failing the gate; a person may override it,
with a name and a reason, which is the approval too, and the reasons stand in the answer all the same.

Source: spec/slo.md 16 (verdict, exit codes, freeze, override), 10 (silences never touch the gate).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from slo.desk_records import Override
from slo.shown import ShownState, SloShown, instant
from slo.shown_alerts import AlertShown
from slo.telemetry_state import COVERAGE_RATIO

MIN_REMAINING = 0.25
"""Share of a budget that must be left unless the asker says otherwise."""
MIN_EVENTS = 10
"""Requests below which a budget says nothing."""
VALID_S = 90
"""How long an answer may be acted upon after the instant that it is of: three instants."""
STALE_S = 300
"""An evaluation that is older says nothing of now."""


class GateVerdict(StrEnum):
    """Whether a release may go on."""

    PASS = "pass"  # noqa: S105 -- no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


EXIT_CODES = {GateVerdict.PASS: 0, GateVerdict.FAIL: 3, GateVerdict.INCONCLUSIVE: 4}
"""Exit status of a pipeline's step."""


class ReasonCode(StrEnum):
    """Why a release may not go on, or why nobody can tell."""

    PAGE_FIRING = "PAGE_FIRING"
    """A page of a chosen objective or service fires, silenced or not."""
    BUDGET_LOW = "BUDGET_LOW"
    """Less of an error budget is left than the asker wants."""
    FREEZE = "FREEZE"
    """The policy freezes releases: the budget is spent, or has not recovered by five points since."""
    APPROVAL_REQUIRED = "APPROVAL_REQUIRED"
    """The policy wants a person's approval, by an override: little of the budget is left."""
    NO_OBJECTIVES = "NO_OBJECTIVES"
    """There are no objectives, so nothing says that all is well."""
    NOT_EVALUATED = "NOT_EVALUATED"
    """Nothing has been evaluated since the start, or not for five minutes."""
    BLIND = "BLIND"
    """Nobody looks: no collector is heard."""
    INVALID_COUNTS = "INVALID_COUNTS"
    """The counts of an objective cannot be, and its value is withheld."""
    LOW_COVERAGE = "LOW_COVERAGE"
    """Fewer than nine tenths of the collectors are heard."""
    TOO_FEW_EVENTS = "TOO_FEW_EVENTS"
    """Too few requests were counted to tell."""
    OVERRIDDEN = "OVERRIDDEN"
    """A person lets releases pass; the other reasons say what would hold."""


FAILURES = frozenset({ReasonCode.PAGE_FIRING, ReasonCode.BUDGET_LOW, ReasonCode.FREEZE, ReasonCode.APPROVAL_REQUIRED})
"""Reasons that fail; all others but the override leave the question open."""
_UNSEEN = {
    ShownState.UNKNOWN: ReasonCode.NOT_EVALUATED,
    ShownState.BLIND: ReasonCode.BLIND,
    ShownState.DOWN_OR_BLIND: ReasonCode.BLIND,
    ShownState.INVALID: ReasonCode.INVALID_COUNTS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason.

    Attributes:
        code: Which.
        text: In words.
    """

    code: ReasonCode
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSlo:
    """What the verdict rests on, of one objective and group."""

    name: str
    group: Mapping[str, str]
    remaining: float | None
    projected_remaining: float | None
    burn_1h: float | None
    state: str
    method: str
    coverage: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeShown:
    """Whether the policy freezes releases.

    Attributes:
        active: Whether it does.
        until: Until when; None while that depends on the budget.
        why: Whose budget; empty if it does not.
    """

    active: bool
    until: str | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideShown:
    """Who lets releases pass, and why."""

    service: str
    slo: str
    who: str
    reason: str
    at: str
    until: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The answer.

    Attributes:
        verdict: Whether a release may go on.
        exit_code: What a pipeline's step ends with.
        reasons: Why; empty if it passes.
        slos: What it rests on.
        freeze: Of the policy.
        override: Who lets releases pass; None if nobody does.
        version: Of the release, as the asker named it.
        as_of: The instant; None before the first.
        expires_at: Until when the answer may be acted upon.
    """

    verdict: GateVerdict
    exit_code: int
    reasons: tuple[Reason, ...]
    slos: tuple[GateSlo, ...]
    freeze: FreezeShown
    override: OverrideShown | None
    version: str
    as_of: str | None
    expires_at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of the gate.

    Attributes:
        slos: The objectives and groups that are meant.
        alerts: Their alerts, and those of their services.
        frozen: Names of objectives whose policy freezes releases.
        unapproved: Names of objectives whose policy wants a person's approval.
        override: Who lets releases pass; None if nobody does.
        min_remaining: Share of each budget that must be left.
        version: Of the release; empty if not named.
        at_s: The instant that was evaluated; None before the first.
        now_s: Wall clock, unix time.
    """

    slos: Sequence[SloShown]
    alerts: Sequence[AlertShown] = ()
    frozen: frozenset[str] = frozenset()
    unapproved: frozenset[str] = frozenset()
    override: Override | None = None
    min_remaining: float = MIN_REMAINING
    version: str = ""
    at_s: int | None
    now_s: int


def gate(asked: Asked) -> Gate:
    """Return whether a release may go on."""
    frozen = sorted({one.name for one in asked.slos} & asked.frozen)
    reasons = tuple(_reasons(asked, frozen))
    verdict = _verdict(reasons)
    if asked.override is not None and verdict is not GateVerdict.PASS:
        verdict = GateVerdict.PASS
        text = f"{asked.override.who}: {asked.override.reason}"
        reasons = (Reason(code=ReasonCode.OVERRIDDEN, text=text), *reasons)
    return Gate(
        verdict=verdict,
        exit_code=EXIT_CODES[verdict],
        reasons=reasons,
        slos=tuple(map(_slo, asked.slos)),
        freeze=FreezeShown(active=bool(frozen), why=", ".join(frozen)),
        override=None if asked.override is None else override_shown(asked.override),
        version=asked.version,
        as_of=instant(asked.at_s),
        expires_at=None if asked.at_s is None else instant(asked.at_s + VALID_S),
    )


def override_shown(override: Override) -> OverrideShown:
    """Return who lets releases pass."""
    return OverrideShown(
        service=override.service,
        slo=override.slo,
        who=override.who,
        reason=override.reason,
        at=instant(override.at_s) or "",
        until=instant(override.until_s) or "",
    )


def _verdict(reasons: Iterable[Reason]) -> GateVerdict:
    codes = {reason.code for reason in reasons}
    if codes & FAILURES:
        return GateVerdict.FAIL
    return GateVerdict.INCONCLUSIVE if codes else GateVerdict.PASS


def _reasons(asked: Asked, frozen: Sequence[str]) -> Iterator[Reason]:
    for alert in asked.alerts:
        if alert.state == "firing" and alert.severity == "page":
            summary = alert.annotations.get("summary", alert.alertname)
            yield Reason(code=ReasonCode.PAGE_FIRING, text=f"{alert.alertname}: {summary}")
    for name in frozen:
        yield Reason(code=ReasonCode.FREEZE, text=f"{name}: releases are frozen until its budget has recovered")
    for name in sorted({one.name for one in asked.slos} & asked.unapproved - asked.frozen):
        yield Reason(code=ReasonCode.APPROVAL_REQUIRED, text=f"{name}: an override by a person is needed")
    if not asked.slos:
        yield Reason(code=ReasonCode.NO_OBJECTIVES, text="there are no objectives")
    if asked.at_s is None or asked.now_s - asked.at_s > STALE_S:
        yield Reason(code=ReasonCode.NOT_EVALUATED, text=f"the last evaluation is of {instant(asked.at_s) or 'never'}")
    for one in asked.slos:
        yield from _of_slo(one, asked.min_remaining)


def _of_slo(one: SloShown, min_remaining: float) -> Iterator[Reason]:
    name = " ".join((one.name, *one.group.values()))
    if one.state in _UNSEEN:
        yield Reason(code=_UNSEEN[one.state], text=f"{name}: {one.state}")
    if one.remaining is not None and one.remaining < min_remaining:
        text = f"{name}: {one.remaining:.1%} of the budget is left, {min_remaining:.1%} is asked for"
        yield Reason(code=ReasonCode.BUDGET_LOW, text=text)
    if one.state in _UNSEEN:
        return
    if one.coverage is not None and one.coverage < COVERAGE_RATIO:
        text = f"{name}: {one.coverage:.0%} of the collectors are heard, {COVERAGE_RATIO:.0%} are asked for"
        yield Reason(code=ReasonCode.LOW_COVERAGE, text=text)
    if (one.n or 0) < MIN_EVENTS:
        yield Reason(code=ReasonCode.TOO_FEW_EVENTS, text=f"{name}: {one.n or 0} requests, {MIN_EVENTS} are asked for")


def _slo(one: SloShown) -> GateSlo:
    return GateSlo(
        name=one.name,
        group=one.group,
        remaining=one.remaining,
        projected_remaining=one.projected_remaining,
        burn_1h=one.burn.get("1h"),
        state=one.state.value,
        method=one.method,
        coverage=one.coverage,
    )
