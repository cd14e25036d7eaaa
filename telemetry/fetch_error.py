"""Knows why a question to a server got no answer that may be used; refuses to know what was asked.

Source: spec/reliability.md 5.4, 12.
"""

from enum import StrEnum

from telemetry.errors import TelemetryError


class Fault(StrEnum):
    """Why a question got no answer that may be used."""

    DNS = "dns"
    """The name has no address, or the resolver did not answer."""
    REFUSED = "refused"
    """Nobody listens there."""
    UNREACHABLE = "unreachable"
    """No way leads there."""
    CONNECT_TIMEOUT = "connect_timeout"
    """No connection in the time allowed."""
    TLS = "tls"
    """No secure connection, for example because of the certificate."""
    RESET = "reset"
    """The connection ended before the answer was complete."""
    TIMEOUT = "timeout"
    """The answer was not complete in the time allowed."""
    TOO_LARGE = "too_large"
    """The answer has more bytes than allowed."""
    PROTOCOL = "protocol"
    """What came, or what was to be sent, is not HTTP as it was agreed on."""
    GUARDED = "guarded"
    """The address may not be asked; nothing was sent."""
    REDIRECT = "redirect"
    """It points elsewhere, which is never followed."""


class FetchError(TelemetryError):
    """A question got no answer that may be used; the message holds no secret and nothing of an answer."""

    def __init__(self, kind: Fault, message: str) -> None:
        """Keep the kind and one line for people."""
        super().__init__(message)
        self.kind = kind
