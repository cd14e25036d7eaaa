"""Knows the trail of who saved and promoted baselines, one line an act, each bound to the one before; refuses to judge.

The file below the data directory, `runs/audit.jsonl`, is the authority; the store gets a copy of each line.

Source: spec/loadtest.md 12 (goes to the audit log); spec/store.md 3 (audit); slo.audit (the chain).
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from inferometer import load_files
from inferometer.data_directory import DataDirectory
from inferometer.errors import InferometerError
from slo.audit import FIRST_HASH, Act, By, Deed, act
from telemetry.load_records import ActRow

FILE = "audit.jsonl"
TRAIL_BYTES_MAX = 64 << 20
"""Longest trail that goes on; an act takes less than a kilobyte."""


def noted(
    data: DataDirectory, deed: Deed, name: str, by: By, states: tuple[Mapping[str, object], Mapping[str, object]]
) -> ActRow:
    """Write an act down and return it as the store keeps it.

    Args:
        data: Whose trail it is.
        deed: What was done.
        name: To which baseline.
        by: Who did it, when and why.
        states: The baseline before and after; empty if there was none.

    Raises:
        InferometerError: The disk takes no more, or the trail ends with what is no act.
    """
    path = data.root / "runs" / FILE

    def line(before: bytes) -> bytes:
        return msgspec.json.encode(act(deed, name, by, states, _last_hash(path, before))) + b"\n"

    made = msgspec.json.decode(load_files.add_line(path, TRAIL_BYTES_MAX, line), type=Act)
    return ActRow(
        at=made.at_ms,
        actor=made.actor,
        action=made.action,
        object=made.object,
        before=made.before,
        after=made.after,
        prev_hash=bytes.fromhex(made.prev_hash),
        hash=bytes.fromhex(made.hash),
    )


def _last_hash(path: Path, data: bytes) -> str:
    lines = data.splitlines()
    if not lines:
        return FIRST_HASH
    try:
        return msgspec.json.decode(lines[-1], type=Act).hash
    except msgspec.DecodeError as error:
        raise InferometerError(f"{path}:{len(lines)}: not an act: {error}") from None
