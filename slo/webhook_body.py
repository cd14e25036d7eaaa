"""Knows the webhook body that Alertmanager made common, and how it is signed; refuses to know who receives it.

Source: prometheus/alertmanager docs/configuration.md (webhook_config, version 4); spec/slo.md 11.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from slo.alertmanager_body import rfc3339
from slo.notice import Notice, Status

SIGNATURE = "X-Inferometer-Signature"
IDEMPOTENCY_KEY = "Idempotency-Key"
SIGNATURE_AGE_S_MAX = 300
"""A receiver refuses a signature that is older."""
_NEVER = "0001-01-01T00:00:00Z"


def webhook_body(notices: Sequence[Notice], *, receiver: str, external_url: str) -> dict[str, Any]:
    """Return the body for notices of one status, at least one."""
    labels = _common([notice.labels for notice in notices])
    group = {name: labels[name] for name in ("slo", "alertname") if name in labels}
    return {
        "version": "4",
        "groupKey": "{}:{" + ", ".join(f'{name}="{value}"' for name, value in group.items()) + "}",
        "truncatedAlerts": 0,
        "status": notices[0].status.value,
        "receiver": receiver,
        "groupLabels": group,
        "commonLabels": labels,
        "commonAnnotations": _common([notice.annotations for notice in notices]),
        "externalURL": external_url,
        "alerts": [_alert(notice) for notice in notices],
    }


def signature(secret: str, body: bytes, now_s: int) -> str:
    """Return the value of the signature header."""
    mac = hmac.new(secret.encode(), b"%d.%s" % (now_s, body), hashlib.sha256)
    return f"t={now_s},v1={mac.hexdigest()}"


def is_signed(secret: str, body: bytes, header: str, now_s: int) -> bool:
    """Say whether a receiver may believe a body: the signature is right and not old."""
    told = header.partition(",")[0].removeprefix("t=")
    if not (told.isascii() and told.isdigit()) or abs(now_s - int(told)) > SIGNATURE_AGE_S_MAX:
        return False
    return hmac.compare_digest(signature(secret, body, int(told)), header)


def _alert(notice: Notice) -> dict[str, Any]:
    is_over = notice.status is Status.RESOLVED and notice.ends_at_s is not None
    return {
        "status": notice.status.value,
        "labels": dict(notice.labels),
        "annotations": dict(notice.annotations),
        "startsAt": rfc3339(notice.starts_at_s),
        "endsAt": rfc3339(notice.ends_at_s) if is_over and notice.ends_at_s is not None else _NEVER,
        "generatorURL": notice.link,
        "fingerprint": f"{notice.fingerprint:016x}",
    }


def _common(maps: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first, *others = maps
    return {name: value for name, value in first.items() if all(one.get(name) == value for one in others)}
