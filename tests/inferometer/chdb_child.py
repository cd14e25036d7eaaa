"""chDB in a process of its own, for tests that need what no client may do: it has one path per process, for life.

Statements come as JSON lines on stdin, results go as JSON lines to stdout.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, cast


class ChdbError(Exception):
    """The engine refused a statement."""


class Chdb:
    """A running engine on an empty directory."""

    def __init__(self, path: Path) -> None:
        """Start it."""
        words = [sys.executable, __file__, str(path)]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def execute(self, sql: str, parameters: Mapping[str, str] | None = None) -> str:
        """Run a statement and return its result as text."""
        questions, answers = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)
        questions.write(json.dumps([sql, parameters or {}]) + "\n")
        questions.flush()
        answer: dict[str, str] = json.loads(answers.readline())
        if "error" in answer:
            raise ChdbError(answer["error"])
        return answer["text"]

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=20)


def serve(path: str) -> None:
    """Answer until stdin ends."""
    import chdb  # noqa: PLC0415 - only the child loads it

    connection: Any = cast("Any", chdb).connect(path)
    for line in sys.stdin:
        sql, parameters = json.loads(line)
        try:
            answer = {"text": connection.query(sql, "TabSeparated", params=parameters).bytes().decode()}
        except RuntimeError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
