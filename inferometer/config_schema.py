"""Knows every configuration key: type, bounds, default and meaning; refuses to know where a value comes from.

Source: design.md (ports), spec/ui.md 10 (keys), spec/reliability.md 4.1 and 10 (limits, binds).
"""

from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr

from inferometer import defaults
from inferometer.address import target_address
from inferometer.hints_keys import HintKeys
from inferometer.keys import Allowed, Section
from inferometer.load_keys import LoadKeys, Switch
from inferometer.policy_keys import PolicyKeys
from inferometer.rule_keys import RuleKeys

TEXT_CHARACTERS_MAX = 256
"""Longest name that becomes a label (spec/store.md 11.6)."""
HEADER_CHARACTERS_MAX = 64
"""Longest name of a header that is looked for."""
MODELS_MAX = 256
"""Most model names that become labels; others are recorded as `unknown`."""
DAYS_MAX = 36_500
"""Most days for which rows may be kept, short of for ever."""
REPLICAS_MAX = 256
"""Most replicas behind one target whose pages of metrics are named."""
NAMES_MAX = 64
"""Most further names that Host may carry."""
PATHS_MAX = 64
"""Most files and folders of SLOs that are named."""
_WEB_SCHEMES = ("http://", "https://")


def _checked_target(url: str | None) -> str | None:
    if url is not None:
        target_address(url)
    return url


def _checked_url(url: str) -> str:
    target_address(url)
    return url


def _checked_web(url: str | None) -> str | None:
    if url is not None and not (url.startswith(_WEB_SCHEMES) and url.isprintable() and not set("?# ") & set(url)):
        raise ValueError(f"found {url!r}; allowed: http://HOST or https://HOST, with a path but no query")
    return url


def _checked_days(days: int, least: int) -> int:
    if days != 0 and not least <= days <= DAYS_MAX:
        raise ValueError(f"found {days}; allowed: days from {least} to {DAYS_MAX}, or 0 for ever")
    return days


def _checked_store(url: str | None) -> str | None:
    if url is not None and not url.startswith(_WEB_SCHEMES):
        raise ValueError(f"found {url!r}; allowed: http://HOST:PORT or https://HOST:PORT of a ClickHouse server")
    return url


_LABEL = Allowed(f"a text of at most {TEXT_CHARACTERS_MAX} characters")
_FILE = Allowed("the path of a file")
Label = Annotated[str, Field(max_length=TEXT_CHARACTERS_MAX), _LABEL]
HeaderName = Annotated[
    str,
    Field(max_length=HEADER_CHARACTERS_MAX, pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]*$"),
    Allowed(f"the name of a header, at most {HEADER_CHARACTERS_MAX} characters"),
]
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
EngineSeconds = Annotated[float, Field(ge=0, le=3600), Allowed("seconds from 0, which asks never, to 3600")]
GpuSeconds = Annotated[float, Field(ge=0.1, le=3600), Allowed("seconds from 0.1 to 3600")]
Gpu = Annotated[Literal["auto", "always", "never"], Allowed("auto, always or never")]
OfBlind = Annotated[Literal["exclude", "count_bad"], Allowed("exclude or count_bad")]
Days = Annotated[int, AfterValidator(partial(_checked_days, least=1)), Allowed("a whole number of days")]
RawDays = Annotated[int, AfterValidator(partial(_checked_days, least=14)), Allowed("a whole number of days")]
SecondsDays = Annotated[int, AfterValidator(partial(_checked_days, least=3)), Allowed("a whole number of days")]
MinutesDays = Annotated[int, AfterValidator(partial(_checked_days, least=90)), Allowed("a whole number of days")]
HoursDays = Annotated[int, AfterValidator(partial(_checked_days, least=800)), Allowed("a whole number of days")]
TargetUrl = Annotated[
    str | None, AfterValidator(_checked_target), Allowed("http://HOST:PORT, for example http://127.0.0.1:8000")
]
StoreUrl = Annotated[str | None, AfterValidator(_checked_store), Allowed("http://HOST:8123 or https://HOST:8443")]
WebUrl = Annotated[str | None, AfterValidator(_checked_web), Allowed("http://HOST or https://HOST/PATH")]
ReplicaUrls = Annotated[
    tuple[Annotated[str, AfterValidator(_checked_url)], ...],
    Field(max_length=REPLICAS_MAX),
    Allowed(f"a list of at most {REPLICAS_MAX} URLs, each http://HOST:PORT"),
]
Path = Annotated[str | None, _FILE]
Paths = Annotated[
    tuple[str, ...], Field(max_length=PATHS_MAX), Allowed(f"a list of at most {PATHS_MAX} files or folders")
]
Secret = Annotated[
    SecretStr | None, Allowed("a text; better the path of a file in the key of the same name plus _file")
]
HostNames = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9._\[\]:-]+$")], ...],
    Field(max_length=NAMES_MAX),
    Allowed(f"a list of at most {NAMES_MAX} names, each with or without a port"),
]
HostPort = Annotated[
    str | None, Field(pattern=r"^(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$"), Allowed("HOST:PORT")
]
Models = Annotated[
    tuple[str, ...], Field(max_length=MODELS_MAX), Allowed(f"a list of at most {MODELS_MAX} model names")
]


class Target(Section):
    """The engine that is watched, and the names that its rows carry."""

    url: TargetUrl = Field(default=None, description="Engine to watch.")
    replicas: ReplicaUrls = Field(
        default=(), description="Engines behind it, each with metrics of its own; empty: the engine is the target."
    )
    endpoint: Label = Field(default="", description="Name of the endpoint in every row; empty: the target's host:port.")
    region: Label = Field(default="", description="Region in every row.")
    workload_class: Label = Field(default="", description="Class of the workload in every row.")
    variant: Label = Field(default="", description="Release or canary arm in every row.")
    engine: Label = Field(default="vllm", description="Engine whose own fields are read.")
    models: Models = Field(default=(), description="Model names that may become labels; empty: those of /v1/models.")
    workflow_header: HeaderName = Field(
        default="", description="Header that names the workflow or batch job of a request; empty: none does."
    )
    workflow_key_file: Path = Field(
        default=None, description="Key of the hash of that name; tees of one workflow share it. Empty: one of our own."
    )
    class_header: HeaderName = Field(
        default="", description="Header that says workflow, endpoint or batch in place of workload_class; empty: none."
    )
    api_key: Secret = Field(default=None, description="Key that doctor sends to the engine; the tee needs none.")
    api_key_file: Path = Field(default=None, description="File that holds that key.")


class Tee(Section):
    """The port that clients use instead of the engine's."""

    bind: Host = Field(default=defaults.LOOPBACK, description="Address that the tee listens on.")
    port: Port = Field(default=defaults.TEE_PORT, description="Port that the tee listens on.")
    workers: Workers = Field(default=1, description="Tee processes.")
    drain_s_max: Seconds = Field(
        default=defaults.DRAIN_S_MAX, description="Longest time that a stopping tee waits for its streams."
    )
    plugin_socket: Path = Field(
        default=None, description="Unix socket on which the plugin in vLLM is heard; empty: nowhere."
    )


class Serve(Section):
    """Our own metrics page."""

    bind: Host = Field(default=defaults.LOOPBACK, description="Address of our own /metrics.")
    port: Port = Field(default=defaults.SERVE_PORT, description="Port of our own /metrics.")
    names: HostNames = Field(default=(), description="Further names that Host may carry: of a Service, of a proxy.")
    keda_grpc: HostPort = Field(
        default=None, description="HOST:PORT of KEDA's external scaler, which needs the extra keda; empty: none."
    )
    wva_alias: Switch = Field(
        default=False, description="Tell desired replicas as wva_desired_replicas too, which KServe reads."
    )
    grafana_url: WebUrl = Field(
        default=None, description="Grafana that has our dashboards, which panels then lead to; empty: none."
    )


class SpoolKeys(Section):
    """Rows on their way to the store, on disk."""

    bytes_max: SpoolBytes = Field(
        default=defaults.SPOOL_BYTES_MAX,
        description="Quota of the spool; beyond it the oldest rows are dropped, counted.",
    )


class ProbeKeys(Section):
    """What the prober asks beside the traffic."""

    file: Path = Field(default=None, description="File of synthetic probes; empty: none are sent.")
    engine_interval_s: EngineSeconds = Field(
        default=defaults.ENGINE_INTERVAL_S, description="Time between two looks at the engine's own metrics; 0: none."
    )
    gpu: Gpu = Field(default="auto", description="Sample the GPUs here; auto: if there is a driver.")
    gpu_interval_s: GpuSeconds = Field(
        default=defaults.GPU_INTERVAL_S, description="Time between two samples of a GPU."
    )


class SloKeys(Section):
    """Objectives, and who hears of them."""

    objectives: Paths = Field(default=(), description="Files and folders of SLOs; empty: built-in rules alone.")
    channels: Path = Field(default=None, description="File of notification channels; empty: nobody is told.")
    lease: Path = Field(
        default=None,
        description="File that replicas here share, so that one tells PagerDuty, Slack and webhooks; empty: no other.",
    )
    blind_policy: OfBlind = Field(
        default="exclude", description="What the time is in which nobody looked: no part of a budget, or bad."
    )
    rules: RuleKeys = RuleKeys()
    policy: PolicyKeys = PolicyKeys()

    @property
    def is_wanted(self) -> bool:
        """Whether anything is to be evaluated: objectives, or built-in rules that somebody is told of."""
        return bool(self.objectives or self.channels)


def _kept(days: int, of: str) -> Any:  # noqa: ANN401 -- the type of pydantic's own Field
    return Field(default=days, description=f"Days for which {of} stay; 0: for ever.")


class Retention(Section):
    """How long each table keeps its rows.

    Those that questions and shipping count on are never kept for a shorter time than the schema says; `store prune`
    drops them sooner.
    """

    requests: RawDays = _kept(14, "requests")
    r_1s: SecondsDays = _kept(3, "roll-ups by the second")
    r_1m: MinutesDays = _kept(90, "roll-ups by the minute")
    r_1h: HoursDays = _kept(800, "roll-ups by the hour")
    request_details: Days = _kept(7, "details of requests")
    error_texts: Days = _kept(90, "texts of errors")
    markers: Days = _kept(400, "markers")
    adjustments: Days = _kept(400, "adjustments of objectives")
    engine_metrics: Days = _kept(14, "samples of engines")
    engine_histograms: Days = _kept(14, "histograms of engines")
    gpu_samples: Days = _kept(14, "samples of GPUs")
    probe_results: Days = _kept(90, "results of probes")
    r_engine_1m: Days = _kept(400, "minutes of engines")
    r_gpu_1m: Days = _kept(400, "minutes of GPUs")
    heartbeats: Days = _kept(14, "heartbeats")
    r_heartbeats_1m: Days = _kept(14, "minutes of heartbeats")
    clock_events: Days = _kept(400, "steps of clocks")
    slo_minutes: Days = _kept(400, "counts of objectives")
    slo_hours: Days = _kept(800, "hours of objectives")
    alert_events: Days = _kept(400, "changes of alerts")
    notification_log: Days = _kept(400, "notifications")
    silences: Days = _kept(400, "silences")
    alert_acks: Days = _kept(400, "acknowledgements of alerts")
    hints: Days = _kept(90, "scaling hints")
    hint_acks: Days = _kept(90, "acknowledgements of hints")
    hint_state: Days = _kept(90, "states of the controller")
    hint_scores: Days = _kept(90, "scores of hints")
    cold_starts: Days = _kept(90, "cold starts")
    verdicts: Days = _kept(400, "verdicts on releases")
    audit: Days = _kept(1826, "entries of the audit")
    dlq: Days = _kept(90, "entries of dead letters")


class StoreKeys(Section):
    """Where rows are kept: the embedded store, or a ClickHouse server when `url` is set."""

    url: StoreUrl = Field(default=None, description="ClickHouse server; empty: the embedded store.")
    port: Port = Field(default=defaults.STORE_PORT, description="Port of the embedded store, on 127.0.0.1.")
    user: Label = Field(default="", description="User at the server; empty: default.")
    password: Secret = Field(default=None, description="Password at the server.")
    password_file: Path = Field(default=None, description="File that holds the password.")
    retention: Retention = Retention()


class Config(Section):
    """Every key of the configuration file; the environment variable of a key `a.b` is INFEROMETER_A__B."""

    data: Path = Field(default=None, description="Data directory; empty: $XDG_DATA_HOME/inferometer.")
    target: Target = Target()
    tee: Tee = Tee()
    serve: Serve = Serve()
    probe: ProbeKeys = ProbeKeys()
    slo: SloKeys = SloKeys()
    hints: HintKeys = HintKeys()
    load: LoadKeys = LoadKeys()
    spool: SpoolKeys = SpoolKeys()
    store: StoreKeys = StoreKeys()

    @property
    def is_served(self) -> bool:
        """Whether a process of its own evaluates and answers: objectives, rules that somebody is told of, or hints."""
        return self.slo.is_wanted or bool(self.hints.targets)

    @property
    def is_scraped_too_seldom(self) -> bool:
        """Whether hints are asked for and engines are looked at less than twice within the time that a hint lives."""
        return bool(self.hints.targets) and not 0 < self.probe.engine_interval_s <= self.hints.ttl_s / 2
