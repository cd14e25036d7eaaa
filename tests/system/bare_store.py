"""The embedded store as a child process that runs some statements of a test first."""

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

from telemetry.store import Store

ROOT = Path(__file__).parent.parent.parent
COUNT = "SELECT count() AS n FROM TABLE"


@contextmanager
def bare_store(data: Path, *statements: str, port: int = 0) -> Generator[tuple[str, int]]:
    """Run it until the block ends, which is given its address and its pid."""
    argv = [sys.executable, str(ROOT / "tests" / "fixtures" / "bare_store.py"), str(data), str(port), *statements]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, "the store did not start"
        try:
            yield url, process.pid
        finally:
            process.terminate()


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def client(url: str, data: Path, user: str) -> Store:
    return Store(url, user=user, password=(data / "secrets" / f"store_{user}").read_text().strip())


def count(url: str, data: Path, table: str) -> int:
    with closing(client(url, data, "reader")) as reader:
        answer = reader.raw(COUNT.replace("TABLE", table), output="JSONEachRow")
    return int(json.loads(answer)["n"])
