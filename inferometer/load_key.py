"""Knows the key of a run: what it asked for, and what is said of the engine; refuses to compare two.

The file of the engine is YAML or JSON: names of the key, and `flags`, a mapping of the engine's flags. What it does not
say the engine may (`engine_facts`); what neither says is not known. Without all flags the key is partial: of those that
are known it has the hash, so that a difference between them shows.

Source: spec/loadtest.md 12 (key, flags hash, sources in order).
"""

from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import yaml

from inferometer.errors import ConfigurationError
from loadtest.baseline import PARTIAL, Key, flags_hash, mix_id
from loadtest.plan import Plan
from loadtest.plan_spec import PlanSpec
from loadtest.run_spec import RunSpec
from loadtest.served import Facts
from telemetry.outcome import DEFS_VERSION

ENGINE_BYTES_MAX = 1 << 20
"""Longest file of an engine."""
OPEN, CLOSED = "open", "closed"
"""Loops, in keys and reports: figures of one are never compared with those of the other."""
_HASH_CHARACTERS = 16


class Engine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said of the engine; None is not known, and no flag at all is not the same as unknown flags.

    Attributes:
        flags: Value by name; None if none is known.
        partial: There are further flags, which are not known.
        roofline: What a roofline needs; no part of a key.
    """

    model_revision: str | None = None
    gpu_model: str | None = None
    gpus: int | None = None
    tensor_parallel: int | None = None
    pp: int | None = None
    dp: int | None = None
    ep: int | None = None
    weight_dtype: str | None = None
    kv_dtype: str | None = None
    engine: str | None = None
    engine_version: str | None = None
    power_limit_watts: int | None = None
    flags: dict[str, str | int | float | bool | None] | None = None
    partial: bool = False
    roofline: Facts | None = None


UNKNOWN = Engine()
"""Nothing is known."""


def engine(path: Path) -> Engine:
    """Read the file of an engine.

    Raises:
        ConfigurationError: It cannot be read, or says something else.
    """
    try:
        with path.open("rb") as file:
            data = file.read(ENGINE_BYTES_MAX + 1)
        if len(data) > ENGINE_BYTES_MAX:
            raise ConfigurationError(f"{path}: longer than {ENGINE_BYTES_MAX} bytes")
        return msgspec.convert(yaml.safe_load(data), Engine)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}: {' '.join(str(error).split())}") from None
    except (msgspec.ValidationError, UnicodeDecodeError) as error:
        allowed = ", ".join(Engine.__struct_fields__)
        raise ConfigurationError(f"{path}: {error}; allowed: {allowed}") from None


def key(run: RunSpec, plan: Plan, told: Engine) -> Key:
    """Return the key of a run."""
    known: dict[str, Any] = msgspec.structs.asdict(told)
    del known["flags"], known["partial"], known["roofline"]
    limits = [(one.name, one.objectives) for one in run.plan.classes]
    return Key(
        model=run.model,
        **known,
        flags_hash=_flags_hash(told),
        mix_id=mix_id(plan),
        process=_process(run.plan),
        loop=loop(run.plan),
        slo_id=_hash(sorted(limits, key=lambda pair: pair[0])),
        sampling_id=_hash([run.api, run.ignore_eos]),
        defs_version=DEFS_VERSION,
    )


def is_partial(one: Key) -> bool:
    """Return whether not all flags of an engine are known."""
    return one.flags_hash.startswith(PARTIAL)


def loop(plan: PlanSpec) -> str:
    """Return whether requests come whatever the answers do, or behind them."""
    return OPEN if plan.slots is None else CLOSED


def _flags_hash(told: Engine) -> str:
    if told.flags is None:
        return PARTIAL
    made = flags_hash({name: None if it is None else str(it) for name, it in told.flags.items()})
    return f"{PARTIAL}:{made[:_HASH_CHARACTERS]}" if told.partial else made


def _process(plan: PlanSpec) -> str:
    if plan.slots is not None:
        return f"{plan.slots} slots"
    return "trace" if plan.trace else plan.process.value


def _hash(value: object) -> str:
    return sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()[:_HASH_CHARACTERS]
