"""Knows the closed sets that say how a request ended; refuses to know how to recognise them.

The recognisers are data in `telemetry.classify`.

Source: spec/measurement.md 8 (provenance) and 9 (outcome taxonomy).
"""

from enum import IntFlag, StrEnum

DEFS_VERSION = 1
"""Version of the measurement definitions, stored with every row; numbers of two versions never mix silently."""


class Outcome(StrEnum):
    """How a request ended, one class per request."""

    OK = "ok"
    INVALID_REQUEST = "invalid_request"
    CONTEXT_LENGTH = "context_length"
    AUTH = "auth"
    NOT_FOUND = "not_found"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXHAUSTED = "quota_exhausted"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"
    CONNECT_ERROR = "connect_error"
    TIMEOUT_FIRST_TOKEN = "timeout_first_token"
    TIMEOUT_STREAM = "timeout_stream"
    STREAM_ERROR = "stream_error"
    STREAM_TRUNCATED = "stream_truncated"
    ENGINE_DEAD = "engine_dead"
    OOM = "oom"
    SERVER_ERROR = "server_error"
    BAD_OUTPUT = "bad_output"
    CONTENT_FILTERED = "content_filtered"
    CLIENT_CANCELLED = "client_cancelled"
    CLIENT_LIMIT = "client_limit"
    UNOBSERVED = "unobserved"


class Phase(StrEnum):
    """How far a request had come when its outcome was decided; queued means sent, no output yet."""

    CONNECT = "connect"
    QUEUED = "queued"
    STREAMING = "streaming"
    DONE = "done"


class Origin(StrEnum):
    """Which part caused the outcome; NONE for a request that succeeded."""

    NONE = ""
    CLIENT = "client"
    NETWORK = "network"
    GATEWAY = "gateway"
    SERVER = "server"


class Eligibility(StrEnum):
    """How a request counts by default in an objective; objectives refine it."""

    GOOD = "good"
    BAD = "bad"
    EXCLUDED = "excluded"
    CENSORED = "censored"


class AbortBy(StrEnum):
    """Who ended a stream early; LOSS means that frames were dropped between tee and observer."""

    CLIENT = "client"
    UPSTREAM = "upstream"
    FIRST_TOKEN_DEADLINE = "first_token_deadline"
    STALL_DEADLINE = "stall_deadline"
    TOTAL_DEADLINE = "total_deadline"
    LOSS = "loss"


class TtftSource(StrEnum):
    """From which instant, and by whom, a time to first token was taken."""

    SCHED = "sched"
    CLIENT = "client"
    TEE = "tee"
    ENGINE_SCHEDULED = "engine_scheduled"


class TtftQuality(StrEnum):
    """How well the first-token instant is known; NONE when there is no first token."""

    NONE = ""
    EXACT = "exact"
    HELD = "held"
    FALLBACK = "fallback"
    UPPER_BOUND = "upper_bound"


class TokSource(StrEnum):
    """Where an output token count comes from; NONE means the count is unknown, hence NULL."""

    USAGE = "usage"
    CUMULATIVE = "cumulative"
    TOKEN_IDS = "token_ids"
    NONE = "none"


class TokTimeQuality(StrEnum):
    """How tokens were placed in time; NONE when no tokens are known."""

    NONE = ""
    EXACT = "exact"
    SCALED = "scaled"
    LUMP = "lump"


class Flag(IntFlag):
    """Bits of the column `flags`.

    Source: spec/store.md 2.1.
    """

    CLAMPED = 1 << 0
    CLOCK_SUSPECT = 1 << 1
    FUTURE_TS = 1 << 2
    EARLY_RESPONSE = 1 << 3
    ATTRIBUTION_CONFLICT = 1 << 4
    OPAQUE_BODY = 1 << 5
    HAS_DETAILS = 1 << 6
    DIALECT_CONFLICT = 1 << 7
    WARMUP = 1 << 8
    ABORTED_BY_PLAN = 1 << 9
    COLD_START = 1 << 10
    UNTERMINATED_TAIL = 1 << 11
