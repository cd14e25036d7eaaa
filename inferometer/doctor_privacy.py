"""Knows how to prove, on a running installation, that nothing of a request's content is kept; costs two requests.

Two requests with marked prompt, header, key, query string and faulty value go through the tee. When their rows have
come, every place that we write is searched for the marks: files of the data directory, columns of the store, our own
metrics page. What a log collector keeps of stderr is not in reach. Columns are asked as well as files, because the
store's files are compressed.

Source: spec/reliability.md 11 (canary test; a model's name is excepted, so it bears no mark).
"""

import asyncio
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from inferometer import ask, data_directory, engine, reading
from inferometer.address import Address, target_address
from inferometer.config import secret
from inferometer.config_schema import Config
from inferometer.data_directory import DataDirectory
from inferometer.defaults import LOOPBACK
from inferometer.doctor_finding import Finding, error, note, ok, warn
from inferometer.errors import InferometerError, UnreachableError
from inferometer.reading import Source
from telemetry import schema
from telemetry.clock import monotonic_ns, sleep, wall_ms
from telemetry.fetch import Client
from telemetry.fetch_error import FetchError
from telemetry.guard import ENGINE
from telemetry.queries import Question
from telemetry.queries.question import Select

ROWS_S_MAX = 15.0
"""Longest wait for the rows of both requests."""
FILE_BYTES_MAX = 1 << 30
"""Bytes of files that are searched."""
ANSWER_BYTES_MAX = 1 << 20
"""Longest answer to a marked request."""
_ID = "privacy.canary"
_ANSWER_S = 30.0
_SETTLE_S = 1.0
"""Between the last row and the search, for what is written after it."""
_CHUNK_BYTES = 1 << 20
_LOOK_S = 0.25
_SENT_N = 2
_PATH = "/v1/chat/completions"
_TEXT = "String"
"""Stands in the name of every type that can hold a mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """A text that stands nowhere else, for each part of a request.

    Attributes:
        prompt: In the prompt.
        header: In a header of no meaning.
        key: As bearer token, where the engine asks for none.
        query: In the query string.
        fault: As a value that the engine refuses, and so in its error body.
    """

    prompt: str
    header: str
    key: str
    query: str
    fault: str

    @classmethod
    def fresh(cls) -> "Marks":
        """Return marks that nobody has seen."""
        prompt, header, key, query, fault = (f"ifmcanary{secrets.token_hex(16)}" for _ in range(5))
        return cls(prompt=prompt, header=header, key=key, query=query, fault=fault)

    def all(self) -> list[str]:
        """Return every mark."""
        return [self.prompt, self.header, self.key, self.query, self.fault]


def examine(config: Config, marks: Marks) -> Iterator[Finding]:
    """Send two marked requests and look for the marks."""
    data = data_directory.resolve(config.data)
    try:
        source = reading.source(config)
        if source.tee_port is None:
            yield note(_ID, f"no supervisor runs on {data.root}", "inferometer up --target URL, then again")
            return
        since_ms = wall_ms()
        tee = Address(host=LOOPBACK, port=source.tee_port)
        fault = asyncio.run(_sent(tee, _model(data, config), config, marks))
        if fault:
            yield warn(_ID, f"no marked request went through the tee: {fault}", "look at target.reach")
            return
        if not _arrived(source, since_ms):
            yield warn(
                _ID, f"the rows of the marked requests did not come in {ROWS_S_MAX:.0f} s", "look at store.reach"
            )
            return
        sleep(_SETTLE_S)
        yield _told(_found(source, data.root, since_ms, marks))
    except InferometerError as trouble:
        yield error(_ID, trouble)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What was searched, and where a mark was found.

    Attributes:
        hits: Files and columns with a mark.
        files_n: Files that were searched.
        columns_n: Columns that were searched.
        whole: Whether every file was read to its end.
    """

    hits: tuple[str, ...]
    files_n: int
    columns_n: int
    whole: bool = True


def question(table: schema.Table, marks: Marks, since_ms: int) -> Question | None:
    """Return how many new rows have a mark, by column; None for a table that holds no text."""
    names = [column.name for column in table.columns if _TEXT in column.type and not column.default.startswith("ALIAS")]
    if not names:
        return None
    select = Select(
        columns=[f"countIf(multiSearchAny(toString({name}), {{marks:Array(String)}})) AS in_{name}" for name in names],
        source=f"inferometer.{table.name}",
        where=[f"{table.time} >= fromUnixTimestamp64Milli({{since:Int64}})"] if table.time else [],
    )
    return Question(sql=select.text(), parameters={"marks": marks.all(), "since": since_ms})


def has_mark(path: Path, marks: Iterable[bytes], bytes_max: int = FILE_BYTES_MAX) -> tuple[bool, int]:
    """Search a file.

    Returns:
        Whether a mark stands in its first bytes, and how many of them were read.
    """
    wanted = list(marks)
    overlap = max(map(len, wanted)) - 1
    read_n, tail = 0, b""
    with path.open("rb") as file:
        while read_n < bytes_max and (chunk := file.read(min(_CHUNK_BYTES, bytes_max - read_n))):
            read_n += len(chunk)
            text = tail + chunk
            if any(mark in text for mark in wanted):
                return True, read_n
            tail = text[-overlap:]
    return False, read_n


def _model(data: DataDirectory, config: Config) -> str:
    """Return a model of the engine behind the tee, asked past the tee so that it leaves no rows."""
    target = str(data_directory.read_status(data)["target"])
    found = engine.asked(target_address(target), _key(config))
    return next(iter(found.models if found else ()), "")


def _key(config: Config) -> str:
    return secret(config.target.api_key, config.target.api_key_file, "target.api_key")


async def _sent(tee: Address, model: str, config: Config, marks: Marks) -> str:
    """Send both requests; return why not, empty if they were answered."""
    good: dict[str, object] = {"model": model, "max_tokens": 1, "stream": True}
    good["messages"] = [{"role": "user", "content": marks.prompt}]
    headers = {"Content-Type": "application/json", "X-Canary": marks.header}
    headers["Authorization"] = f"Bearer {_key(config) or marks.key}"
    async with Client() as client:
        for body in (good, good | {"temperature": marks.fault}):
            try:
                await client.fetch(
                    "POST",
                    f"{tee.url}{_PATH}?canary={marks.query}",
                    policy=ENGINE,
                    total_s=_ANSWER_S,
                    bytes_max=ANSWER_BYTES_MAX,
                    headers=headers,
                    body=json.dumps(body).encode(),
                )
            except FetchError as fault:
                return str(fault)
    return ""


_ARRIVED = """\
SELECT count() AS n
FROM inferometer.requests
WHERE ended_at >= fromUnixTimestamp64Milli({since:Int64})"""


def _arrived(source: Source, since_ms: int) -> bool:
    counting = Question(sql=_ARRIVED, parameters={"since": since_ms}, seconds_max=2.0)
    until_ns = monotonic_ns() + round(ROWS_S_MAX * 1e9)
    while cast("int", source.rows(counting)[0]["n"]) < _SENT_N:
        if monotonic_ns() > until_ns:
            return False
        sleep(_LOOK_S)
    return True


def _found(source: Source, root: Path, since_ms: int, marks: Marks) -> Search:
    wanted = [mark.encode() for mark in marks.all()]
    hits: list[str] = []
    files_n, left = 0, FILE_BYTES_MAX
    for path in _written_since(root, since_ms):
        if left <= 0:
            break
        hit, read_n = has_mark(path, wanted, left)
        files_n, left = files_n + 1, left - read_n
        hits += [str(path)] if hit else []
    in_columns = _columns(source, since_ms, marks)
    hits += [name for name, n in in_columns.items() if n]
    hits += [source.metrics_url] if source.metrics_url and _on_page(source.metrics_url, wanted) else []
    return Search(hits=tuple(hits), files_n=files_n, columns_n=len(in_columns), whole=left > 0)


def _written_since(root: Path, since_ms: int) -> Iterator[Path]:
    """Return the files that may hold what was written since; one that goes away meanwhile holds nothing."""
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder) / name
            try:
                if path.is_file() and path.stat().st_mtime * 1000 >= since_ms and os.access(path, os.R_OK):
                    yield path
            except OSError:
                continue


def _columns(source: Source, since_ms: int, marks: Marks) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for table in schema.TABLES:
        asked = question(table, marks, since_ms)
        for name, n in source.rows(asked)[0].items() if asked else ():
            found[f"{table.name}.{name.removeprefix('in_')}"] = cast("int", n)
    return found


def _on_page(url: str, wanted: Iterable[bytes]) -> bool:
    try:
        page = ask.get(target_address(url), "/metrics").body
    except OSError as fault:
        raise UnreachableError(f"{url}/metrics: {fault}") from None
    return any(mark in page for mark in wanted)


def _told(search: Search) -> Finding:
    where = f"{search.files_n} files, {search.columns_n} columns and our /metrics"
    if search.hits:
        fault = InferometerError(f"content of a request was found in {', '.join(search.hits)}")
        return error(_ID, fault, "report this; until then, stop the recording")
    if not search.whole:
        return warn(_ID, f"no mark of two requests in {where}, but not all files could be read to their end")
    return ok(_ID, f"no mark of two requests in {where}; what collects stderr is not looked at")
