"""Knows how Alertmanager is told of alerts; refuses to know which instances there are.

An alert without `endsAt` would end by Alertmanager's own time-out, so it always has one: a few sends ahead while it
fires, the instant of its end once it is over.

Source: prometheus/alertmanager api/v2/openapi.yaml (postableAlerts: labels, annotations, startsAt, endsAt,
generatorURL); prometheus/prometheus rules/manager.go (endsAt of a firing alert); spec/slo.md 11.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from slo.notice import Notice, Status

RESEND_S = 60
"""A firing alert is told again after so long."""
ALIVE_INTERVALS = 4
"""A firing alert ends by itself when so many sends in a row were missed."""


def alertmanager_body(notices: Sequence[Notice], now_s: int, *, step_s: int) -> list[dict[str, Any]]:
    """Return the body of `POST /api/v2/alerts`.

    Args:
        notices: What is said.
        now_s: Unix time.
        step_s: Time between two evaluations.
    """
    alive_until_s = now_s + ALIVE_INTERVALS * max(step_s, RESEND_S)
    return [_alert(notice, alive_until_s) for notice in notices]


def _alert(notice: Notice, alive_until_s: int) -> dict[str, Any]:
    ends_at_s = alive_until_s if notice.status is Status.FIRING or notice.ends_at_s is None else notice.ends_at_s
    alert: dict[str, Any] = {
        "labels": dict(notice.labels),
        "annotations": dict(notice.annotations),
        "startsAt": rfc3339(notice.starts_at_s),
        "endsAt": rfc3339(ends_at_s),
    }
    return alert | ({"generatorURL": notice.link} if notice.link else {})


def rfc3339(unix_s: int) -> str:
    """Return an instant as Alertmanager and webhooks write it, UTC."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
