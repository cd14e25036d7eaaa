"""Knows every configuration key: type, bounds, default and meaning; refuses to know where a value comes from.

Source: design.md (ports), spec/ui.md 10 (keys), spec/reliability.md 4.1 and 10 (limits, binds).
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from inferometer import defaults
from inferometer.address import target_address

TEXT_CHARACTERS_MAX = 256
"""Longest name that becomes a label (spec/store.md 11.6)."""
MODELS_MAX = 256
"""Most model names that become labels; others are recorded as `unknown`."""
_STORE_SCHEMES = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a key may hold, in words for a message; stands in the key's annotation."""

    words: str


def _checked_target(url: str | None) -> str | None:
    if url is not None:
        target_address(url)
    return url


def _checked_store(url: str | None) -> str | None:
    if url is not None and not url.startswith(_STORE_SCHEMES):
        raise ValueError(f"found {url!r}; allowed: http://HOST:PORT or https://HOST:PORT of a ClickHouse server")
    return url


_LABEL = Allowed(f"a text of at most {TEXT_CHARACTERS_MAX} characters")
_FILE = Allowed("the path of a file")
Label = Annotated[str, Field(max_length=TEXT_CHARACTERS_MAX), _LABEL]
Host = Annotated[str, Field(min_length=1), Allowed("an address to listen on, for example 127.0.0.1")]
Port = Annotated[int, Field(ge=1, le=65535), Allowed("a port from 1 to 65535")]
Workers = Annotated[
    int, Field(ge=1, le=defaults.WORKERS_MAX), Allowed(f"a whole number from 1 to {defaults.WORKERS_MAX}")
]
SpoolBytes = Annotated[
    int,
    Field(ge=defaults.SPOOL_BYTES_MIN),
    Allowed(f"a whole number of bytes, at least {defaults.SPOOL_BYTES_MIN}, which is four segments"),
]
Seconds = Annotated[float, Field(ge=0, le=86_400), Allowed("seconds from 0 to 86400")]
TargetUrl = Annotated[
    str | None, AfterValidator(_checked_target), Allowed("http://HOST:PORT, for example http://127.0.0.1:8000")
]
StoreUrl = Annotated[str | None, AfterValidator(_checked_store), Allowed("http://HOST:8123 or https://HOST:8443")]
Path = Annotated[str | None, _FILE]
Secret = Annotated[
    SecretStr | None, Allowed("a text; better the path of a file in the key of the same name plus _file")
]
Models = Annotated[
    tuple[str, ...], Field(max_length=MODELS_MAX), Allowed(f"a list of at most {MODELS_MAX} model names")
]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Target(_Section):
    """The engine that is watched, and the names that its rows carry."""

    url: TargetUrl = Field(default=None, description="Engine to watch.")
    endpoint: Label = Field(default="", description="Name of the endpoint in every row; empty: the target's host:port.")
    region: Label = Field(default="", description="Region in every row.")
    workload_class: Label = Field(default="", description="Class of the workload in every row.")
    variant: Label = Field(default="", description="Release or canary arm in every row.")
    engine: Label = Field(default="vllm", description="Engine whose own fields are read.")
    models: Models = Field(default=(), description="Model names that may become labels; empty: those of /v1/models.")
    api_key: Secret = Field(default=None, description="Key that doctor sends to the engine; the tee needs none.")
    api_key_file: Path = Field(default=None, description="File that holds that key.")


class Tee(_Section):
    """The port that clients use instead of the engine's."""

    bind: Host = Field(default=defaults.LOOPBACK, description="Address that the tee listens on.")
    port: Port = Field(default=defaults.TEE_PORT, description="Port that the tee listens on.")
    workers: Workers = Field(default=1, description="Tee processes.")
    drain_s_max: Seconds = Field(
        default=defaults.DRAIN_S_MAX, description="Longest time that a stopping tee waits for its streams."
    )


class Serve(_Section):
    """Our own metrics page."""

    bind: Host = Field(default=defaults.LOOPBACK, description="Address of our own /metrics.")
    port: Port = Field(default=defaults.SERVE_PORT, description="Port of our own /metrics.")


class SpoolKeys(_Section):
    """Rows on their way to the store, on disk."""

    bytes_max: SpoolBytes = Field(
        default=defaults.SPOOL_BYTES_MAX,
        description="Quota of the spool; beyond it the oldest rows are dropped, counted.",
    )


class StoreKeys(_Section):
    """Where rows are kept: the embedded store, or a ClickHouse server when `url` is set."""

    url: StoreUrl = Field(default=None, description="ClickHouse server; empty: the embedded store.")
    port: Port = Field(default=defaults.STORE_PORT, description="Port of the embedded store, on 127.0.0.1.")
    user: Label = Field(default="", description="User at the server; empty: default.")
    password: Secret = Field(default=None, description="Password at the server.")
    password_file: Path = Field(default=None, description="File that holds the password.")


class Config(_Section):
    """Every key of the configuration file; the environment variable of a key `a.b` is INFEROMETER_A__B."""

    data: Path = Field(default=None, description="Data directory; empty: $XDG_DATA_HOME/inferometer.")
    target: Target = Target()
    tee: Tee = Tee()
    serve: Serve = Serve()
    spool: SpoolKeys = SpoolKeys()
    store: StoreKeys = StoreKeys()
