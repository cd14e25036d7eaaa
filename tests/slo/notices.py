"""Notices for tests of what is sent."""

from dataclasses import replace

from slo.notice import Notice, Status

FIRING = Notice(
    fingerprint=0xAB,
    occurrence=2,
    status=Status.FIRING,
    n=0,
    starts_at_s=1_790_000_000,
    labels={"alertname": "chat-good", "slo": "chat-good", "endpoint": "chat", "severity": "page"},
    annotations={"summary": "chat burns 20x", "burn": "20"},
    link="http://127.0.0.1:8200/alerts/ab",
)
RESOLVED = replace(FIRING, status=Status.RESOLVED, ends_at_s=1_790_000_600)
