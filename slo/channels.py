"""Knows who hears of alerts and what each kind's answers mean; refuses to know how anything is sent.

Source: spec/slo.md 11; spec/reliability.md 12. Answers: Alertmanager 0.25 api/v2/openapi.yaml (200, 400, 500; tried: a
400 may mean that one alert of several is invalid and the others were kept, a 422 that none was); PagerDuty Events API
v2, "API Response Codes & Retry Logic" (202, 400, 429, 5xx); Slack, "Changes to errors for incoming webhooks" (400, 403,
404, 410: final; 500) and "Rate limits" (429 with Retry-After, one message a second); RFC 9110 10.2.3 (Retry-After:
seconds or a date).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import StrEnum

from slo.burn_catalogue import Severity
from slo.notice import Notice
from telemetry.guard import PUBLIC, Policy

RETRY_AFTER_S_MAX = 3_600.0
"""A receiver that asks for a longer wait than this is asked again all the same."""


class ChannelKind(StrEnum):
    """What kind of receiver it is."""

    ALERTMANAGER = "alertmanager"
    PAGERDUTY = "pagerduty"
    SLACK = "slack"
    WEBHOOK = "webhook"
    DEAD_MAN = "dead_man"
    """Is told that the engine lives, and of no alert."""


class Result(StrEnum):
    """What became of one try."""

    SENT = "sent"
    RETRY = "retry"
    """Not heard, or nobody knows; the same may be heard later."""
    REFUSED = "refused"
    """This will never be heard, whenever it is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One receiver.

    Attributes:
        name: Unique.
        kind: What it is.
        urls: Where it is: every instance of an Alertmanager, else one. That of Slack is a secret by itself.
        secret: Routing key of PagerDuty, key of a webhook's signature, bearer token of the others; empty if none.
        severities: Of the alerts that it hears of.
        labels: What the labels of those alerts must be; by name, the values that will do.
        policy: Where its URLs may lead.
    """

    name: str
    kind: ChannelKind
    urls: tuple[str, ...] = field(repr=False)
    secret: str = field(default="", repr=False)
    severities: frozenset[Severity] = frozenset(Severity)
    labels: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    policy: Policy = PUBLIC

    def takes(self, labels: Mapping[str, str]) -> bool:
        """Return whether an alert of these labels is for it."""
        return (
            self.kind is not ChannelKind.DEAD_MAN
            and labels.get("severity") in self.severities
            and all(labels.get(name, "") in values for name, values in self.labels.items())
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one try, and why; nothing of what the receiver wrote.

    Attributes:
        result: What became of it.
        why: In a few words; empty if it was sent.
        retry_after_s: How long the receiver asked to be left alone; None if it did not ask.
        http_status: Of the answer; None if none came.
    """

    result: Result
    why: str = ""
    retry_after_s: float | None = None
    http_status: int | None = None


_FINAL = frozenset(range(400, 500)) - {408, 425, 429}  # request timeout, too early, too many requests: later, perhaps
REFUSALS: Mapping[ChannelKind, frozenset[int]] = {
    ChannelKind.ALERTMANAGER: frozenset({400, 413, 422}),  # something in the array; the caller looks for it
    ChannelKind.PAGERDUTY: _FINAL,
    ChannelKind.SLACK: _FINAL,
    # Somebody's own server: what says "this body, never" is final. A 401 or 404 is often a server being put up.
    ChannelKind.WEBHOOK: frozenset({400, 410, 413, 415, 422}),
    ChannelKind.DEAD_MAN: frozenset(),
}
"""Answers after which the same is not said again, by kind. Every 2xx is a yes, everything else is tried again."""


def judged(kind: ChannelKind, status: int, retry_after: str, now_s: float) -> Verdict:
    """Return what an answer means.

    Args:
        kind: Who answered.
        status: HTTP status.
        retry_after: The header of that name; empty if there is none.
        now_s: Unix time.
    """
    if status // 100 == 2:  # noqa: PLR2004 -- the class of success, RFC 9110 15.3
        return Verdict(result=Result.SENT, http_status=status)
    why = f"answered {status}"
    if status in REFUSALS[kind]:
        return Verdict(result=Result.REFUSED, why=why, http_status=status)
    if status // 100 == 3:  # noqa: PLR2004 -- the class of redirects, RFC 9110 15.4
        why += ", which points elsewhere and is not followed"
    wait_s = wait_of(retry_after, now_s)
    return Verdict(result=Result.RETRY, why=why, retry_after_s=wait_s, http_status=status)


def wait_of(retry_after: str, now_s: float) -> float | None:
    """Return the wait that a Retry-After header asks for, bounded; None if it asks for none."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), RETRY_AFTER_S_MAX)
    try:
        wait_s = parsedate_to_datetime(text).timestamp() - now_s
    except (ValueError, OverflowError):
        return None
    return min(max(wait_s, 0.0), RETRY_AFTER_S_MAX)


def routed(channels: Iterable[Channel], notices: Sequence[Notice]) -> dict[str, list[Notice]]:
    """Return what is to be queued, by channel. Alertmanagers are told what stands, not what happens."""
    direct = [channel for channel in channels if channel.kind is not ChannelKind.ALERTMANAGER]
    told = {channel.name: [notice for notice in notices if channel.takes(notice.labels)] for channel in direct}
    return {name: taken for name, taken in told.items() if taken}
