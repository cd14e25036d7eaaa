"""Knows how what was seen beside a run is kept, a line of JSON for each look; refuses to know what was seen.

`at_s` counts from the start of the plan, as the times of the rows do. A disk that takes no more loses lines, counted:
the run goes on.

    engine.jsonl   one line a second and engine: what its page showed
    gpu.jsonl      one line a second and GPU or slice

Source: spec/loadtest.md 18 (files), 19 (what a scaling profile is made of: use of the cache and of the GPU).
"""

from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import BinaryIO

import msgspec

ENGINE, GPU = "engine.jsonl", "gpu.jsonl"


class Lines:
    """One file of looks; made with the first of them.

    Attributes:
        lost: Lines that could not be written.

    Args:
        path: The file.
        start_ns: Start of the plan, monotonic.
    """

    def __init__(self, path: Path, start_ns: int) -> None:
        """Know where it will be."""
        self.lost = 0
        self._path, self._start_ns = path, start_ns
        self._file: BinaryIO | None = None
        self._lock = Lock()  # several engines are looked at by threads of their own

    def add(self, at_ns: int, told: Mapping[str, object]) -> None:
        """Write a line."""
        line = msgspec.json.encode({"at_s": round((at_ns - self._start_ns) / 1e9, 3), **told}) + b"\n"
        with self._lock:
            try:
                self._file = self._file or self._path.open("ab", buffering=0)
                self._file.write(line)
            except OSError:
                self.lost += 1

    def close(self) -> None:
        """Write no more."""
        if self._file is not None:
            self._file.close()
