"""Knows what is posted to each kind of receiver: address, headers, body, and how much goes together; sends nothing.

Source: spec/slo.md 11 (bodies, `Idempotency-Key`, signature, Slack's 30 s and one message a second).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from slo.alertmanager_body import alertmanager_body
from slo.channels import Channel, ChannelKind
from slo.notice import Notice
from slo.pagerduty_body import pagerduty_body
from slo.slack_body import BLOCKS_MAX, slack_body
from slo.webhook_body import IDEMPOTENCY_KEY, SIGNATURE, signature, webhook_body

ALERTS_MAX = 64
"""Alerts of one post to an Alertmanager: with 16 KiB of words each, a megabyte."""
GROUP_S = 30.0
"""How long the first message of a group waits for others of its objective; Slack only."""
GAP_S: dict[ChannelKind, float] = {ChannelKind.SLACK: 1.0}
"""Least time between two posts."""
TOGETHER_MAX: Mapping[ChannelKind, int] = {ChannelKind.SLACK: BLOCKS_MAX}
"""Notices of one post; those of the other kinds go one by one, each under its own key."""

_One = TypeVar("_One")


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One post.

    Attributes:
        url: Where to.
        headers: Of the question.
        body: Of the question.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def alertmanager_post(channel: Channel, url: str, notices: Sequence[Notice], now_s: int, *, step_s: int) -> Post:
    """Return what tells one instance of an Alertmanager what stands.

    Args:
        channel: The Alertmanager.
        url: The instance.
        notices: What stands.
        now_s: Unix time.
        step_s: Time between two evaluations.
    """
    headers = {"Authorization": f"Bearer {channel.secret}"} if channel.secret else {}
    return _post(url.rstrip("/") + "/api/v2/alerts", alertmanager_body(notices, now_s, step_s=step_s), headers)


def direct_post(channel: Channel, notices: Sequence[Notice], now_s: int, *, external_url: str) -> Post:
    """Return what tells any other receiver of what happened.

    Args:
        channel: The receiver.
        notices: What happened: one thing, or for Slack several.
        now_s: Unix time.
        external_url: Where a person finds our own pages.
    """
    (url,) = channel.urls
    if channel.kind is ChannelKind.SLACK:
        return _post(url, slack_body(notices))
    (notice,) = notices
    key = {IDEMPOTENCY_KEY: notice.key}
    if channel.kind is ChannelKind.PAGERDUTY:
        return _post(url, pagerduty_body(notice, channel.secret), key)
    post = _post(url, webhook_body(notices, receiver=channel.name, external_url=external_url), key)
    if not channel.secret:
        return post
    signed = {**post.headers, SIGNATURE: signature(channel.secret, post.body, now_s)}
    return Post(url=url, headers=signed, body=post.body)


def group_of(kind: ChannelKind, notice: Notice) -> str:
    """Return what goes into one post with others of the same group."""
    return notice.labels.get("slo", "") if kind is ChannelKind.SLACK else notice.key


def chunks(items: Sequence[_One], items_max: int) -> Iterator[Sequence[_One]]:
    """Yield parts of a sequence, none longer than a bound."""
    for at in range(0, len(items), items_max):
        yield items[at : at + items_max]


def _post(url: str, body: object, headers: Mapping[str, str] | None = None) -> Post:
    told = {"Content-Type": "application/json", "User-Agent": "inferometer", **(headers or {})}
    return Post(url=url, headers=told, body=msgspec.json.encode(body))
