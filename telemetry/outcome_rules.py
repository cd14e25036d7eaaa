"""Knows the rules by which outcomes are recognised, as data; refuses to apply them.

Each table is in order of precedence where it has one. A string that no table knows becomes `server_error` (under 200
`stream_error`) and keeps its `raw_type`, so rules grow here.

Source: spec/measurement.md 9. vLLM 0.32: exceptions.py, v1/engine/exceptions.py,
entrypoints/serve/exception_handling/error_response.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from telemetry.outcome import Eligibility, Origin, Outcome

_GOOD, _BAD, _EXCLUDED = Eligibility.GOOD, Eligibility.BAD, Eligibility.EXCLUDED


@dataclass(frozen=True, slots=True)
class Nature:
    """What follows from an outcome by default: whose fault, how it counts, whether a client may try again."""

    origin: Origin
    eligible: Eligibility
    retryable: bool = False


NATURE: Mapping[Outcome, Nature] = {
    Outcome.OK: Nature(Origin.NONE, _GOOD),
    Outcome.INVALID_REQUEST: Nature(Origin.CLIENT, _EXCLUDED),
    Outcome.CONTEXT_LENGTH: Nature(Origin.CLIENT, _EXCLUDED),
    Outcome.AUTH: Nature(Origin.CLIENT, _EXCLUDED),
    Outcome.NOT_FOUND: Nature(Origin.CLIENT, _EXCLUDED),
    Outcome.RATE_LIMITED: Nature(Origin.SERVER, _BAD, retryable=True),
    Outcome.QUOTA_EXHAUSTED: Nature(Origin.CLIENT, _EXCLUDED),
    Outcome.OVERLOADED: Nature(Origin.SERVER, _BAD, retryable=True),
    Outcome.UNAVAILABLE: Nature(Origin.SERVER, _BAD, retryable=True),
    Outcome.CONNECT_ERROR: Nature(Origin.NETWORK, _BAD, retryable=True),
    Outcome.TIMEOUT_FIRST_TOKEN: Nature(Origin.SERVER, _BAD, retryable=True),
    Outcome.TIMEOUT_STREAM: Nature(Origin.SERVER, _BAD, retryable=True),
    Outcome.STREAM_ERROR: Nature(Origin.SERVER, _BAD, retryable=True),
    Outcome.STREAM_TRUNCATED: Nature(Origin.SERVER, _BAD, retryable=True),
    Outcome.ENGINE_DEAD: Nature(Origin.SERVER, _BAD, retryable=True),
    Outcome.OOM: Nature(Origin.SERVER, _BAD, retryable=True),
    Outcome.SERVER_ERROR: Nature(Origin.SERVER, _BAD, retryable=True),
    Outcome.BAD_OUTPUT: Nature(Origin.SERVER, _BAD),
    Outcome.CONTENT_FILTERED: Nature(Origin.SERVER, _EXCLUDED),
    Outcome.CLIENT_CANCELLED: Nature(Origin.CLIENT, Eligibility.CENSORED),
    Outcome.CLIENT_LIMIT: Nature(Origin.CLIENT, _EXCLUDED),
    Outcome.UNOBSERVED: Nature(Origin.NONE, _EXCLUDED),
}

CLIENT_FAULTS = frozenset(
    {
        Outcome.INVALID_REQUEST,
        Outcome.CONTEXT_LENGTH,
        Outcome.AUTH,
        Outcome.NOT_FOUND,
        Outcome.QUOTA_EXHAUSTED,
        Outcome.CONTENT_FILTERED,
    }
)
"""Classes that a numeric code of 500 or above rules out (C2)."""

TEXTS: tuple[tuple[str, Outcome], ...] = (
    ("cuda out of memory", Outcome.OOM),
    ("outofmemoryerror", Outcome.OOM),
    ("no available memory for the cache blocks", Outcome.OOM),
    ("enginecore encountered an issue", Outcome.ENGINE_DEAD),
    ("enginedeaderror", Outcome.ENGINE_DEAD),
    ("engine is currently busy", Outcome.OVERLOADED),
    ("prefill token backlog limit", Outcome.OVERLOADED),
    ("server busy", Outcome.OVERLOADED),
    ("no healthy upstream", Outcome.UNAVAILABLE),
    ("upstream connect error", Outcome.UNAVAILABLE),
    ("is sleeping", Outcome.UNAVAILABLE),
    ("maximum context length", Outcome.CONTEXT_LENGTH),
    ("prompt is too long", Outcome.CONTEXT_LENGTH),
    ("exceeded your current quota", Outcome.QUOTA_EXHAUSTED),
    ("budget has been exceeded", Outcome.QUOTA_EXHAUSTED),
)
"""Phrases anywhere in the error, lower case, with the class that they prove."""

WORDS: Mapping[str, Outcome] = {
    "context_length_exceeded": Outcome.CONTEXT_LENGTH,
    "insufficient_quota": Outcome.QUOTA_EXHAUSTED,
    "billing_hard_limit_reached": Outcome.QUOTA_EXHAUSTED,
    "billing_not_active": Outcome.QUOTA_EXHAUSTED,
    "budget_exceeded": Outcome.QUOTA_EXHAUSTED,
    "servicequotaexceededexception": Outcome.QUOTA_EXHAUSTED,
    "model_not_found": Outcome.NOT_FOUND,
    "content_filter": Outcome.CONTENT_FILTERED,
    "rate_limit_exceeded": Outcome.RATE_LIMITED,
    "throttlingexception": Outcome.RATE_LIMITED,
    "resource_exhausted": Outcome.RATE_LIMITED,
    "overloaded_error": Outcome.OVERLOADED,
    "overloaded": Outcome.OVERLOADED,
    "serviceunavailableerror": Outcome.OVERLOADED,
    "serviceunavailableexception": Outcome.OVERLOADED,
    "modelnotreadyexception": Outcome.UNAVAILABLE,
}
"""Words in `code` or `type`, lower case, that say more than any number beside them."""

TYPES: Mapping[str, Outcome] = {
    "authentication_error": Outcome.AUTH,
    "authenticationerror": Outcome.AUTH,
    "permission_error": Outcome.AUTH,
    "permissiondeniederror": Outcome.AUTH,
    "accessdeniedexception": Outcome.AUTH,
    "notfounderror": Outcome.NOT_FOUND,
    "not_found_error": Outcome.NOT_FOUND,
    "badrequesterror": Outcome.INVALID_REQUEST,
    "unprocessableentityerror": Outcome.INVALID_REQUEST,
    "notimplementederror": Outcome.INVALID_REQUEST,
    "invalid_request_error": Outcome.INVALID_REQUEST,
    "validationexception": Outcome.INVALID_REQUEST,
    "invalid_argument": Outcome.INVALID_REQUEST,
    "internalservererror": Outcome.SERVER_ERROR,
    "enginegenerateerror": Outcome.SERVER_ERROR,
}
"""Error types and gRPC-like statuses, lower case; engines label most errors alike, so a number outranks them."""

TYPE_STARTS: tuple[tuple[str, Outcome], ...] = (("rate_limit", Outcome.RATE_LIMITED),)
"""Starts of an error type."""

STATUSES: Mapping[int, Outcome] = {
    401: Outcome.AUTH,
    402: Outcome.QUOTA_EXHAUSTED,
    403: Outcome.AUTH,
    404: Outcome.NOT_FOUND,
    408: Outcome.UNAVAILABLE,
    424: Outcome.SERVER_ERROR,
    429: Outcome.RATE_LIMITED,
    501: Outcome.INVALID_REQUEST,
    502: Outcome.UNAVAILABLE,
    503: Outcome.UNAVAILABLE,
    504: Outcome.UNAVAILABLE,
    529: Outcome.OVERLOADED,
}
"""HTTP statuses, and numeric codes of frames, with a class of their own."""

STATUS_CLASSES: Mapping[int, Outcome] = {
    3: Outcome.UNAVAILABLE,
    4: Outcome.INVALID_REQUEST,
    5: Outcome.SERVER_ERROR,
}
"""The class of every other status, by its first digit."""

FINISHES: Mapping[str, Outcome] = {
    "abort": Outcome.STREAM_TRUNCATED,
    "error": Outcome.STREAM_ERROR,
    "repetition": Outcome.BAD_OUTPUT,
    "content_filter": Outcome.CONTENT_FILTERED,
    "SAFETY": Outcome.CONTENT_FILTERED,
    "RECITATION": Outcome.CONTENT_FILTERED,
    "guardrail_intervened": Outcome.CONTENT_FILTERED,
    "refusal": Outcome.CONTENT_FILTERED,
}
"""Abnormal finish reasons; every other word is a normal finish."""

PROXIES = ("nginx", "envoy", "haproxy", "traefik", "cloudflare", "awselb", "caddy", "apache", "varnish", "litellm")
"""Names of gateways in the `server` header or in the text of an error."""

ENGINES = ("uvicorn", "vllm", "sglang", "granian", "hypercorn", "llama.cpp")
"""Names in the `server` header that prove the engine itself answered."""
