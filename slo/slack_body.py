"""Knows how a Slack webhook is told of alerts; refuses to know how fast it may be.

The text alone says everything, because notifications and old clients show nothing else.

Source: Slack incoming webhooks and Block Kit (section text <= 3,000 characters; escape & < >); spec/slo.md 11.
"""

from collections.abc import Sequence
from typing import Any

from slo.notice import Notice, Status

BLOCK_CHARS_MAX = 3_000
BLOCKS_MAX = 20
"""Alerts that one message shows; it says how many more there are."""
_SIGNS = {"page": ":rotating_light:", "ticket": ":memo:"}


def slack_body(notices: Sequence[Notice]) -> dict[str, Any]:
    """Return one message for alerts that go together, at least one."""
    shown, more = notices[:BLOCKS_MAX], len(notices) - BLOCKS_MAX
    blocks = [_section(_words(notice)) for notice in shown]
    if more > 0:
        blocks.append(_section(f"and {more} more"))
    text = "\n".join(f"{_status(notice)} {escaped(notice.summary)}" for notice in shown)
    return {"text": text + (f"\nand {more} more" if more > 0 else ""), "blocks": blocks}


def escaped(text: str) -> str:
    """Return a text in which Slack finds no markup of its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _words(notice: Notice) -> str:
    lines = [f"{_status(notice)} *{escaped(notice.summary)}*"]
    lines += [f"{escaped(name)}: {escaped(text)}" for name, text in notice.annotations.items() if name != "summary"]
    link = f"\n<{notice.link}|look>" if notice.link else ""
    return "\n".join(lines)[: BLOCK_CHARS_MAX - len(link)] + link


def _status(notice: Notice) -> str:
    if notice.status is Status.RESOLVED:
        return ":white_check_mark: resolved:"
    return f"{_SIGNS.get(notice.severity, ':information_source:')} {escaped(notice.severity)}:"
