"""Knows which paths of which engine show or change something, and what each engine's key guards; refuses to ask any.

Data, and the few sentences that read it. A path stands on exactly one list: READ is asked by GET, CHANGE by OPTIONS
and by nothing else, because some engines act on a GET (SGLang's `/flush_cache`, LMDeploy's `/terminate`) and Starlette
runs a GET handler for HEAD. An engine's key check lets OPTIONS pass, so its answer says only that a path is there;
whether a key guards it stands here, with the version that it was read in.

Source: spec/reliability.md 15 for the lists of every engine. Read in each engine's code: vLLM 0.32.0, below
`entrypoints/serve`, `middleware/authenticate.py` (GUARDED_PREFIX), `dev`, `sagemaker`, `tokenize`, and `rl/online`;
SGLang `srt/utils/auth.py`, `srt/entrypoints/http_server.py`; TensorRT-LLM `serve/openai_server.py`; LMDeploy
`serve/utils/server_utils.py` (AuthenticationMiddleware), `serve/openai`; llama.cpp `tools/server/server-http.cpp`,
`server.cpp`; Ollama `server/routes.go`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Severity(StrEnum):
    """How bad it is that anyone who reaches the port may do it."""

    HIGH = "high"
    """Changes the engine, stops it, or gets around its key."""
    MEDIUM = "medium"
    """Costs compute, or shows how the engine is set up; also what would be high, if it is not sure."""
    LOW = "low"
    """Shows what the engine does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """One path of an engine.

    Attributes:
        path: As asked for.
        allows: What whoever reaches it may do, as the end of "anyone who reaches this port ...".
        severity: How bad that is without a key.
        engines: Engines that have it; empty: every engine is asked.
        by_get: Whether an engine is known to act on a GET.
    """

    path: str
    allows: str
    severity: Severity
    engines: frozenset[str] = frozenset()
    by_get: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCheck:
    """What the key of an engine guards.

    Attributes:
        version: Version, or commit, that this was read in.
        guarded: Prefixes that need the key; None: every path but `free`.
        free: Prefixes that never need it.
        exact: Whether `free` holds whole paths, not prefixes.
        flag: What sets the key; empty: the engine has none.
    """

    version: str
    guarded: tuple[str, ...] | None = None
    free: tuple[str, ...] = ()
    exact: bool = False
    flag: str = "--api-key"

    def guards(self, path: str) -> bool:
        """Whether the key, where one is set, is asked for on this path."""
        if not self.flag:
            return False
        if self.guarded is not None:
            return path.startswith(self.guarded)
        return path not in self.free if self.exact else not path.startswith(self.free)


WITNESS = "/v1/models"
"""A path that every engine's key guards (but llama.cpp's): its answer without a key tells whether one is asked for."""
LLAMA_WITNESS = "/slots"
"""The same for llama.cpp, which lists its models to everybody."""
WITNESSES = frozenset({WITNESS, LLAMA_WITNESS})
CONTROL = "/inferometer-asks-for-no-such-path"
"""OPTIONS of a path that is nowhere: an engine that answers it like any other tells nothing by OPTIONS."""

KEY_CHECKS: Mapping[str, KeyCheck] = MappingProxyType(
    {
        "vllm": KeyCheck(version="vLLM 0.32.0", guarded=("/v1", "/v2", "/inference", "/cohere")),
        # An --admin-api-key alone leaves the witness open and guards what changes the engine; that cannot be seen.
        "sglang": KeyCheck(version="SGLang at 0ce3659", free=("/health", "/ready", "/metrics")),
        "trt-llm": KeyCheck(version="TensorRT-LLM at 0005772", flag=""),
        "lmdeploy": KeyCheck(
            version="LMDeploy at 4407829", free=("/health", "/docs", "/redoc", "/nodes"), flag="--api-keys"
        ),
        "llama.cpp": KeyCheck(
            version="llama.cpp at 00dd081",
            free=("/health", "/v1/health", "/models", "/v1/models", "/"),
            exact=True,
        ),
        "ollama": KeyCheck(version="Ollama at 0018813", flag=""),
    }
)

_VLLM, _SGLANG, _TRT, _LMDEPLOY, _OLLAMA = (
    frozenset({name}) for name in ("vllm", "sglang", "trt-llm", "lmdeploy", "ollama")
)
_HIGH, _MEDIUM, _LOW = Severity.HIGH, Severity.MEDIUM, Severity.LOW

READ: tuple[Path, ...] = (
    Path(path=WITNESS, allows="lists the models", severity=_LOW),
    Path(path="/docs", allows="reads the description of every path", severity=_LOW),
    Path(path="/openapi.json", allows="reads the description of every path", severity=_LOW),
    Path(path="/metrics", allows="reads how busy the engine is and what it serves", severity=_LOW),
    Path(path="/version", allows="reads the version, and so its known faults", severity=_LOW),
    Path(path="/load", allows="reads how busy the engine is", severity=_LOW),
    Path(path="/server_info", allows="reads the engine's whole configuration", severity=_MEDIUM),
    Path(path="/get_model_info", allows="reads where model and tokenizer lie", severity=_LOW),
    Path(path="/is_paused", allows="sees that development paths are switched on", severity=_MEDIUM),
    Path(path="/is_sleeping", allows="sees that development paths are switched on", severity=_MEDIUM),
    Path(path="/weight_info", allows="sees that development paths are switched on", severity=_MEDIUM),
    Path(path="/get_world_size", allows="sees that development paths are switched on", severity=_MEDIUM),
    Path(path="/tokenizer_info", allows="reads chat template and tokenizer settings", severity=_MEDIUM),
    Path(path=LLAMA_WITNESS, allows="reads the state of every slot", severity=_MEDIUM),
)
"""Asked by GET. On TensorRT-LLM a GET of /metrics removes what it reads, so it is asked only where that is excluded."""

CHANGE: tuple[Path, ...] = (
    Path(path="/pause", allows="stops all generation", severity=_HIGH),
    Path(path="/resume", allows="starts generation again", severity=_HIGH),
    Path(path="/abort_requests", allows="aborts everybody's requests", severity=_HIGH),
    Path(path="/sleep", allows="puts the engine to sleep and drops its cache", severity=_HIGH),
    Path(path="/wake_up", allows="wakes a sleeping engine", severity=_HIGH),
    Path(path="/release_kv_cache_memory", allows="takes the KV cache away", severity=_HIGH),
    Path(path="/update_weights", allows="replaces the model's weights", severity=_HIGH),
    Path(path="/update_weights_from_disk", allows="replaces the model's weights", severity=_HIGH),
    Path(path="/update_weights_from_tensor", allows="replaces the model's weights", severity=_HIGH),
    Path(path="/update_weights_from_distributed", allows="replaces the model's weights", severity=_HIGH),
    Path(path="/update_weights_from_ipc", allows="replaces the model's weights", severity=_HIGH),
    Path(path="/start_weight_update", allows="starts a change of the weights", severity=_HIGH),
    Path(path="/init_weight_transfer_engine", allows="connects the engine to a source of weights", severity=_HIGH),
    Path(path="/collective_rpc", allows="calls methods inside the workers", severity=_HIGH),
    Path(path="/reset_prefix_cache", allows="empties the prefix cache", severity=_HIGH),
    Path(path="/start_profile", allows="slows the engine by profiling", severity=_HIGH, by_get=True),
    Path(path="/flush_cache", allows="empties the cache", severity=_HIGH, by_get=True),
    Path(path="/v1/load_lora_adapter", allows="loads an adapter from a path of its choice", severity=_HIGH),
    # No change, but work without a key, past the check of /v1: medium on an engine that asks for no key at all.
    Path(path="/invocations", allows="generates tokens past the key", severity=_HIGH),
    Path(path="/tokenize", allows="makes the engine tokenize", severity=_MEDIUM),
    Path(path="/detokenize", allows="makes the engine detokenize", severity=_MEDIUM),
    Path(path="/pause_generation", allows="stops all generation", severity=_HIGH, engines=_SGLANG),
    Path(path="/abort_request", allows="aborts everybody's requests", severity=_HIGH, engines=_SGLANG | _LMDEPLOY),
    Path(
        path="/release_memory_occupation",
        allows="takes the GPU memory away",
        severity=_HIGH,
        engines=_SGLANG,
        by_get=True,
    ),
    Path(
        path="/load_lora_adapter", allows="loads an adapter from a path of its choice", severity=_HIGH, engines=_SGLANG
    ),
    Path(path="/set_internal_state", allows="changes limits of the scheduler", severity=_HIGH, engines=_SGLANG),
    Path(
        path="/configure_logging", allows="has requests written to disk", severity=_HIGH, engines=_SGLANG, by_get=True
    ),
    Path(
        path="/terminate",
        allows="ends the engine, if it was started to allow that",
        severity=_HIGH,
        engines=_LMDEPLOY,
        by_get=True,
    ),
    Path(path="/release_memory", allows="takes the GPU memory away", severity=_HIGH, engines=_TRT),
    Path(path="/kv_cache_events", allows="removes events that another reader waits for", severity=_HIGH, engines=_TRT),
    Path(path="/api/delete", allows="deletes models", severity=_HIGH, engines=_OLLAMA),
    Path(path="/api/pull", allows="fills the disk with models", severity=_HIGH, engines=_OLLAMA),
    Path(path="/api/create", allows="replaces models", severity=_HIGH, engines=_OLLAMA),
)
"""Asked by OPTIONS and by nothing else."""

BYPASS = "/invocations"
"""Generation outside the key's prefixes; where no key is asked for at all, it gets around nothing."""
_DESTRUCTIVE_METRICS = "trt-llm"
_METRICS = "/metrics"


SHORT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "vllm": ("/pause", "/update_weights", "/collective_rpc", "/v1/load_lora_adapter"),
        "sglang": ("/flush_cache", "/update_weights_from_disk", "/pause_generation", "/abort_request"),
        "trt-llm": ("/update_weights", "/release_memory"),
        "lmdeploy": ("/terminate", "/update_weights", "/sleep", "/abort_request"),
        "ollama": ("/api/delete", "/api/pull"),
    }
)
"""What a short look asks an engine for; one that is not here: what vLLM and SGLang are asked for first."""


def short(engine: str) -> Iterator[tuple[str, Path]]:
    """Return what a short look asks, of each kind of engine what is worst."""
    wanted = SHORT.get(engine, (*SHORT["vllm"][:2], *SHORT["sglang"][:2]))
    for method, path in paths(engine):
        if path.path in wanted or path.path in WITNESSES:
            yield method, path


def paths(engine: str) -> Iterator[tuple[str, Path]]:
    """Return what to ask an engine, as method and path, in order; an unknown engine is asked for everything safe.

    Args:
        engine: Its name as detected; anything that is not known here counts as unknown.
    """
    known = engine in KEY_CHECKS
    for path in READ:
        if path.path != _METRICS or (known and engine != _DESTRUCTIVE_METRICS):
            yield "GET", path
    for path in CHANGE:
        if not path.engines or not known or engine in path.engines:
            yield "OPTIONS", path
