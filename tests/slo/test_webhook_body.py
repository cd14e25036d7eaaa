"""Tests of slo.webhook_body."""

from dataclasses import replace

import pytest
from notices import FIRING, RESOLVED

from slo.webhook_body import SIGNATURE_AGE_S_MAX, is_signed, signature, webhook_body

OTHER = replace(FIRING, fingerprint=0xCD, labels={**FIRING.labels, "endpoint": "code"})


def test_the_body_names_what_its_alerts_share() -> None:
    body = webhook_body([FIRING, OTHER], receiver="ops", external_url="http://127.0.0.1:8200")

    assert body["version"] == "4"
    assert body["status"] == "firing"
    assert body["commonLabels"] == {"alertname": "chat-good", "slo": "chat-good", "severity": "page"}
    assert body["commonAnnotations"] == FIRING.annotations
    assert body["groupKey"] == '{}:{slo="chat-good", alertname="chat-good"}'
    assert [alert["fingerprint"] for alert in body["alerts"]] == ["00000000000000ab", "00000000000000cd"]
    assert body["alerts"][0]["endsAt"] == "0001-01-01T00:00:00Z"


def test_a_resolved_alert_has_its_end() -> None:
    body = webhook_body([RESOLVED], receiver="ops", external_url="")

    assert (body["status"], body["alerts"][0]["endsAt"]) == ("resolved", "2026-09-21T14:23:20Z")


def test_a_signature_is_believed_while_it_is_young() -> None:
    header = signature("secret", b"{}", 1_790_000_000)

    assert header.startswith("t=1790000000,v1=")
    assert is_signed("secret", b"{}", header, 1_790_000_000 + SIGNATURE_AGE_S_MAX)
    assert not is_signed("secret", b"{}", header, 1_790_000_000 + SIGNATURE_AGE_S_MAX + 1)


@pytest.mark.parametrize(
    ("secret", "body", "header"),
    [
        pytest.param("other", b"{}", None, id="another secret"),
        pytest.param("secret", b"{ }", None, id="another body"),
        pytest.param("secret", b"{}", "t=1790000000,v1=00", id="another signature"),
        pytest.param("secret", b"{}", "t=x,v1=00", id="no time"),
        pytest.param("secret", b"{}", "t=²,v1=00", id="a digit that is none"),
        pytest.param("secret", b"{}", "", id="nothing"),
    ],
)
def test_any_other_is_not(secret: str, body: bytes, header: str | None) -> None:
    told = signature("secret", b"{}", 1_790_000_000) if header is None else header

    assert not is_signed(secret, body, told, 1_790_000_000)
