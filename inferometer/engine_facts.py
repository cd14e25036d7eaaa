"""Knows what an engine's own words say of the key of a run: version, parallelism, types, flags; refuses to ask.

Two sources, and what each is good for:

    /server_info    SGLang's arguments; vLLM's configuration, where it runs with VLLM_SERVER_DEV_MODE=1: all flags
    the page and    vLLM's `cache_config_info`, and the longest model length: some of the flags, so that the key stays
    /v1/models      partial and two runs are only compared where somebody accepts that

Left out of the flags is what differs from start to start without a change: seeds, ranks, addresses, and sizes that the
engine found for itself in the memory that was free.

Source: spec/loadtest.md 12 (sources in order); vLLM entrypoints/serve/dev/server_info/api_router.py (`vllm_config`,
`config_format=json`), v1/metrics/loggers.py (`cache_config_info`); SGLang srt/entrypoints/http_server.py (server
arguments, `internal_states`, `version`).
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

from inferometer.load_key import Engine
from probes.aliases import Engine as Kind
from probes.page import Labels

FLAGS_MAX = 1024
"""Most flags that are taken."""
VALUE_CHARACTERS_MAX = 256
"""Longest value of a flag that is taken; a longer one is cut."""

_SECTIONS = ("cache_config", "parallel_config", "scheduler_config", "speculative_config")
_MODEL_FIELDS = ("dtype", "quantization", "max_model_len", "enforce_eager")
_OWN_WORDS = frozenset({"seed", "rank", "ip", "id", "addr", "master", "instance"})
_FOUND = frozenset(
    {
        *("num_gpu_blocks", "num_cpu_blocks", "kv_cache_size_tokens", "kv_cache_max_concurrency", "engine"),
        *("max_total_num_tokens", "max_req_input_len", "version", "status"),
    }
)
"""What the engine found for itself, or is told elsewhere."""

Flags = dict[str, str | int | float | bool | None]


def of_server_info(body: bytes, kind: Kind) -> Engine:
    """Return what `/server_info` says; nothing if it is none of this engine's."""
    told = decoded(body)
    config = told.get("vllm_config")
    if kind is Kind.VLLM and isinstance(config, dict):
        return _of_vllm(cast("Mapping[str, Any]", config))
    if kind is Kind.SGLANG and "internal_states" in told:
        return _of_sglang(told)
    return Engine()


def of_page(labels: Iterable[Labels], models: bytes) -> Engine:
    """Return what vLLM's page and list of models say.

    Args:
        labels: Of each series of `cache_config_info`; those of further ranks say the same.
        models: Answer of `/v1/models`.
    """
    cache = dict(next(iter(labels), ()))
    listed = decoded(models).get("data")
    first: object = cast("list[object]", listed)[0] if isinstance(listed, list) and listed else {}
    longest = cast("Mapping[str, Any]", first).get("max_model_len") if isinstance(first, dict) else None
    flags = _counted(cache | ({} if longest is None else {"max_model_len": longest}))
    return Engine(kv_dtype=text(cache.get("cache_dtype")), flags=flags or None, partial=bool(flags))


def decoded(body: bytes) -> Mapping[str, Any]:
    """Return a JSON object; an empty one if it is none."""
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}


def text(value: object) -> str | None:
    """Return a text as it is kept, cut to its longest; None if it is none, empty, or cannot be written."""
    return value[:VALUE_CHARACTERS_MAX] if isinstance(value, str) and value and _is_writable(value) else None


def merged(first: Engine, then: Engine) -> Engine:
    """Return what the first says, and the second where the first says nothing; flags are taken whole."""
    told = {name: value for name, value in msgspec.structs.asdict(first).items() if value is not None}
    if first.flags is None:
        del told["partial"]
    return msgspec.structs.replace(then, **told)


def differing(before: Engine, after: Engine) -> tuple[str, ...] | None:
    """Return the names of what an engine said otherwise at the end of a run; None if it said nothing at both ends.

    Flags of `/server_info` and of the page have names of their own: those of a source that was silent stand in one.
    """
    was, now = _by_name(before), _by_name(after)
    both = was.keys() & now.keys()
    changed = tuple(sorted(name for name in both if was[name] != now[name]))
    return changed if changed or both - {"engine"} else None


def _by_name(engine: Engine) -> dict[str, object]:
    """Return all that is said, flags beside the rest."""
    told = msgspec.structs.asdict(engine).items()
    rest = {name: value for name, value in told if value is not None and name not in {"flags", "partial"}}
    return {**(engine.flags or {}), **rest}


def _of_vllm(config: Mapping[str, Any]) -> Engine:
    model, parallel = (_section(config, name) for name in ("model_config", "parallel_config"))
    flags = {f"{name}.{field}": value for name in _SECTIONS for field, value in _section(config, name).items()}
    flags |= {f"model_config.{field}": model.get(field) for field in _MODEL_FIELDS}
    sizes = [_count(parallel.get(f"{name}_parallel_size")) for name in ("tensor", "pipeline", "data")]
    is_experts = parallel.get("enable_expert_parallel") is True  # experts are spread over all of them
    return Engine(
        model_revision=text(model.get("revision")),
        tensor_parallel=sizes[0],
        pp=sizes[1],
        dp=sizes[2],
        ep=(sizes[0] or 1) * (sizes[2] or 1) if is_experts else None,
        weight_dtype=text(model.get("quantization")) or text(model.get("dtype")),
        kv_dtype=text(_section(config, "cache_config").get("cache_dtype")),
        flags=_counted(flags),
    )


def _of_sglang(told: Mapping[str, Any]) -> Engine:
    return Engine(
        model_revision=text(told.get("revision")),
        tensor_parallel=_count(told.get("tp_size")),
        pp=_count(told.get("pp_size")),
        dp=_count(told.get("dp_size")),
        ep=_count(told.get("ep_size")),
        weight_dtype=text(told.get("quantization")) or text(told.get("dtype")),
        kv_dtype=text(told.get("kv_cache_dtype")),
        engine_version=text(told.get("version")),
        flags=_counted(told),
    )


def _counted(told: Mapping[str, Any]) -> Flags:
    """Return the plain values that stay from start to start, by name."""
    kept: Flags = {}
    for name in sorted(told):
        value = told[name]
        field = name.rpartition(".")[2]
        is_own = field in _FOUND or field.startswith("_") or not _OWN_WORDS.isdisjoint(field.split("_"))
        is_plain = isinstance(value, str | int | float | bool | None) and _is_writable(f"{name}{value}")
        if is_own or not is_plain or len(kept) >= FLAGS_MAX:
            continue
        kept[name] = value[:VALUE_CHARACTERS_MAX] if isinstance(value, str) else value
    return kept


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = config.get(name)
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}


def _is_writable(text: str) -> bool:
    """Return whether UTF-8 has it: JSON can name halves of a character, which no report can hold."""
    return not any("\ud800" <= one <= "\udfff" for one in text)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
