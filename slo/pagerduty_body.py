"""Knows how PagerDuty is told of an alert; refuses to know what its answers mean.

Source: PagerDuty Events API v2 (`POST /v2/enqueue`: routing_key, event_action, dedup_key <= 255, payload.summary <=
1024, severity critical|error|warning|info, custom_details, links); spec/slo.md 11.
"""

from typing import Any

from slo.alertmanager_body import rfc3339
from slo.notice import Notice, Status

SUMMARY_CHARS_MAX = 1024
_SEVERITIES = {"page": "critical", "ticket": "warning"}


def pagerduty_body(notice: Notice, routing_key: str) -> dict[str, Any]:
    """Return the body of one event."""
    if notice.status is Status.RESOLVED:
        return {"routing_key": routing_key, "event_action": "resolve", "dedup_key": _dedup_key(notice)}
    labels = notice.labels
    return {
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": _dedup_key(notice),
        "payload": {
            "summary": notice.summary[:SUMMARY_CHARS_MAX],
            "source": labels.get("endpoint") or labels.get("service") or "inferometer",
            "severity": _SEVERITIES.get(notice.severity, "info"),
            "timestamp": rfc3339(notice.starts_at_s),
            "component": labels.get("service", ""),
            "group": labels.get("slo", ""),
            "class": labels.get("alertname", ""),
            "custom_details": dict(notice.annotations),
        },
        "links": [{"href": notice.link, "text": "inferometer"}] if notice.link else [],
    }


def _dedup_key(notice: Notice) -> str:
    """Return the alert's identity, without the occurrence: PagerDuty opens a new incident once the last is resolved."""
    return f"{notice.fingerprint:016x}"
