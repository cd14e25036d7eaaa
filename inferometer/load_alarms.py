"""Knows the false-alarm rate of this place: what runs of one target against itself showed, by key; refuses to make any.

Each is kept in the data directory, a file for each key. Where they raise more false alarms than may be, nothing of that
key is judged any more: neither by `load gate` nor by `load ab`.

Source: spec/loadtest.md 14 (standing A/A; > 7 % at alpha 5 % blocks gating), 12 (key).
"""

from pathlib import Path
from typing import Annotated

import msgspec

from inferometer.errors import ConfigurationError, UnreachableError
from loadtest.baseline import Key, config_hash
from loadtest.cases import Case
from loadtest.paired import RATE_MAX, FalseAlarms
from loadtest.verdict import Verdict
from telemetry.clock import wall_ms

RUNS_MAX = 100
"""Runs of a key that are kept; the oldest go first."""
STANDING_BYTES_MAX = 1 << 20
"""Longest file of a key."""
_DIRECTORY = "load_aa"
_HASH_CHARACTERS = 16
_Count = Annotated[int, msgspec.Meta(ge=0)]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a target against itself.

    Attributes:
        run_id: Of it.
        made_at: Wall time, unix milliseconds.
        alarms: False alarms that it raised.
        n: Comparisons.
    """

    run_id: str
    made_at: int
    alarms: _Count
    n: _Count


def keep(root: Path, key: Key, run_id: str, found: FalseAlarms) -> FalseAlarms:
    """Add a run to those of its key; returns what all of them say.

    Raises:
        InferometerError: The file cannot be read or written.
    """
    made = Standing(run_id=run_id, made_at=wall_ms(), alarms=found.alarms, n=found.n)
    kept = [*_kept(root, key), made][-RUNS_MAX:]
    path = _path(root, key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.encode(kept) + b"\n")
    except OSError as error:
        raise UnreachableError(f"{path}: {error.strerror}") from None
    return _total(kept)


def known(root: Path, key: Key) -> FalseAlarms:
    """Return what the runs of a key showed.

    Raises:
        ConfigurationError: The file cannot be read.
    """
    return _total(_kept(root, key))


def objections(root: Path, key: Key) -> list[Case]:
    """Return what false alarms say against a verdict.

    Raises:
        ConfigurationError: The file cannot be read.
    """
    found = known(root, key)
    if not found.blocks:
        return []
    message = f"{words(found)}: a target is told from itself too often for a verdict ({_path(root, key)})"
    return [Case(name="false_alarms", verdict=Verdict.INCONCLUSIVE, message=message)]


def words(found: FalseAlarms) -> str:
    """Return a rate in words."""
    if found.ratio is None or found.interval is None:
        return "never compared with itself"
    low, high = (f"{100 * end:.1f}" for end in found.interval)
    rate = f"{found.alarms} false alarms of {found.n}, {100 * found.ratio:.1f} % [{low}, {high}]"
    return f"{rate}, allowed {100 * RATE_MAX:.0f} %"


def _total(kept: list[Standing]) -> FalseAlarms:
    return FalseAlarms(alarms=sum(one.alarms for one in kept), n=sum(one.n for one in kept))


def _kept(root: Path, key: Key) -> list[Standing]:
    path = _path(root, key)
    try:
        with path.open("rb") as file:
            data = file.read(STANDING_BYTES_MAX + 1)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    if len(data) > STANDING_BYTES_MAX:
        raise ConfigurationError(f"{path}: longer than {STANDING_BYTES_MAX} bytes")
    try:
        return msgspec.json.decode(data, type=list[Standing])
    except (ValueError, msgspec.MsgspecError) as error:
        raise ConfigurationError(f"{path}: {error}; allowed: what `load ab --self` wrote; remove it") from None


def _path(root: Path, key: Key) -> Path:
    return root / _DIRECTORY / f"{config_hash(key)[:_HASH_CHARACTERS]}.json"
