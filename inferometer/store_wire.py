"""Knows the words of ClickHouse's HTTP interface: what a request asks, and how an answer or an error is written.

Refuses to know sockets and the engine. Only what clickhouse-connect, Grafana's plugin and curl say is understood.

Source: spec/store.md 8.4; clickhouse_connect/driver/_backend/httpcommon.py (requests);
https://clickhouse.com/docs/interfaces/http (headers).
"""

import base64
import binascii
import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl

BODY_BYTES_MAX = 64 * 1024 * 1024
"""Largest body, counted after decompression."""
HEADER_BYTES_MAX = 32 * 1024
"""Largest sum of target and headers of one request."""
FORM_FIELDS_MAX = 1_000
"""Most fields of a multipart form."""
ENGINE_SETTINGS = frozenset(
    {
        "insert_deduplication_token",
        "insert_deduplicate",
        "deduplicate_blocks_in_dependent_materialized_views",
        "async_insert",
        "wait_for_async_insert",
        "materialized_views_ignore_errors",
    }
)
"""Settings of a writer that reach the engine."""
TRANSPORT_NAMES = frozenset(
    {
        "query",
        "database",
        "default_format",
        "wait_end_of_query",
        "query_id",
        "session_id",
        "client_protocol_version",
        "max_execution_time",
        "enable_http_compression",
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "cancel_http_readonly_queries_on_client_close",
        "date_time_input_format",
        "cast_string_to_dynamic_use_inference",
    }
)
"""Names in a URL that every client may send: understood by this server, or without meaning for it."""
STATUSES: Mapping[int, int] = {
    36: 400, 53: 400, 62: 400, 115: 400, 457: 400,
    516: 401,
    164: 403, 497: 403,
    47: 404, 60: 404, 81: 404,
    159: 408,
    307: 413,
    202: 503,
}  # fmt: skip
"""HTTP status of an error code; any other is 500."""
NAMES: Mapping[int, str] = {
    16: "NO_SUCH_COLUMN_IN_TABLE",
    27: "CANNOT_PARSE_INPUT_ASSERTION_FAILED",
    36: "BAD_ARGUMENTS",
    60: "UNKNOWN_TABLE",
    62: "SYNTAX_ERROR",
    81: "UNKNOWN_DATABASE",
    115: "UNKNOWN_SETTING",
    159: "TIMEOUT_EXCEEDED",
    164: "READONLY",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    307: "TOO_MANY_BYTES",
    394: "QUERY_WAS_CANCELLED",
    396: "TOO_MANY_ROWS_OR_BYTES",
    497: "ACCESS_DENIED",
    516: "AUTHENTICATION_FAILED",
    1000: "POCO_EXCEPTION",
}
UNKNOWN_ERROR = 1000
_PACKINGS: Mapping[str, tuple[str, str, tuple[int, ...], str]] = {
    "gzip": ("zlib", "decompressobj", (31,), "error"),
    "deflate": ("zlib", "decompressobj", (15,), "error"),
    "lz4": ("lz4.frame", "LZ4FrameDecompressor", (), "RuntimeError"),
    "zstd": ("backports.zstd", "ZstdDecompressor", (), "ZstdError"),
}
"""Library, maker, its arguments and its error, by Content-Encoding; the last two come with clickhouse-connect."""
_CODE = re.compile(r"Code: (\d+)\. ")
_GRAFANA_HELLO = "SELECT displayName(), version(), revision(), timezone()"
_BLOCK_INFO = bytes((1, 0, 2, 255, 255, 255, 255, 0))
"""What stands before a block at every revision but 0: no overflows, no bucket."""
_TYPED_BYTE_REVISION = 54454
"""From this revision on each column of a block carries one more byte (custom serialisation)."""


class WireError(Exception):
    """A request that cannot be answered with rows: `code` is ClickHouse's, the text is one sentence."""

    def __init__(self, code: int, message: str) -> None:
        """Keep the code and the sentence."""
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request asks.

    Attributes:
        statement: The SQL text; for an insert without its data.
        data: The rows of an insert.
        parameters: Values of `{name:Type}`, as escaped text.
        options: The other names of the URL.
    """

    statement: str
    data: bytes
    parameters: Mapping[str, str]
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response: status, headers, body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def credentials(headers: Mapping[str, str]) -> tuple[str, str]:
    """Return user and secret of a request; the user of a Bearer token is empty, as is what was not sent."""
    if "x-clickhouse-user" in headers:
        return headers["x-clickhouse-user"], headers.get("x-clickhouse-key", "")
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return "", value.strip()
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, secret


def asked(query_string: bytes, headers: Mapping[str, str], body: bytes) -> Asked:
    """Take a request apart.

    Raises:
        WireError: It is larger than allowed or not of a known form.
    """
    fields = dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))
    body = _decoded(body, headers.get("content-encoding", ""))
    if headers.get("content-type", "").lower().startswith("multipart/form-data"):
        fields |= _form(headers["content-type"], body)
        body = b""
    statement, data = _statement(fields.get("query", ""), body)
    parameters = {name[6:]: value for name, value in fields.items() if name.startswith("param_")}
    options = {name: value for name, value in fields.items() if not name.startswith("param_")}
    return Asked(statement=statement, data=data, parameters=parameters, options=options)


def answer(body: bytes, output: str, *, query_id: str = "", summary: Mapping[str, int] | None = None) -> Answer:
    """Write a result."""
    numbers = {name: str(value) for name, value in (summary or {}).items()}
    headers = (
        ("Content-Type", _content_type(output)),
        ("X-ClickHouse-Format", output),
        ("X-ClickHouse-Timezone", "UTC"),
        ("X-ClickHouse-Query-Id", query_id),
        ("X-ClickHouse-Summary", json.dumps(numbers)),
    )
    return Answer(status=200, headers=headers, body=body)


def failure(code: int, message: str, version: str) -> Answer:
    """Write an error: what it says, its name if we know it, and the engine's version unless that is empty."""
    name = f" ({NAMES[code]})" if code in NAMES and f"({NAMES[code]})" not in message else ""
    text = f"Code: {code}. DB::Exception: {message}{name}{f' (version {version})' if version else ''}\n"
    headers = [("Content-Type", "text/plain; charset=UTF-8"), ("X-ClickHouse-Exception-Code", str(code))]
    status = STATUSES.get(code, 500)
    headers += [("Retry-After", "1")] if status == STATUSES[202] else []
    headers += [("WWW-Authenticate", 'Basic realm="inferometer store"')] if status == STATUSES[516] else []
    return Answer(status=status, headers=tuple(headers), body=text.encode())


def closing(given: Answer) -> Answer:
    """Return the answer as the last one of its connection."""
    return Answer(status=given.status, headers=(*given.headers, ("Connection", "close")), body=given.body)


def engine_failure(text: str, version: str) -> Answer:
    """Write the engine's own exception text, whose code stands in it."""
    found = _CODE.search(text)
    code = int(found[1]) if found else UNKNOWN_ERROR
    message = text[found.end() :].removeprefix("DB::Exception: ") if found else text
    return failure(code, message.removesuffix(f" (version {version})"), version)


def compressed(given: Answer, accepted: str) -> Answer:
    """Return the answer gzipped if the client takes that and it is worth it."""
    if "gzip" not in accepted.lower() or len(given.body) < 1024:  # noqa: PLR2004 (below a packet nothing is won)
        return given
    headers = (*given.headers, ("Content-Encoding", "gzip"))
    return Answer(status=given.status, headers=headers, body=gzip.compress(given.body, compresslevel=1))


def escaped(text: str) -> str:
    """Return a text as the value of a query parameter of type String."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\0", "\\0")


def grafana_hello(statement: str, options: Mapping[str, str], version: str) -> bytes | None:
    """Return the hand-made answer to clickhouse-go's first statement; None if this is another.

    It decodes every later block at the revision that this answer reports, so 0 makes the engine's plain blocks right.

    Raises:
        WireError: The revision that it asks for is none.
    """
    if " ".join(statement.split()) != _GRAFANA_HELLO:
        return None
    asked_revision = options.get("client_protocol_version") or "0"
    if not re.fullmatch(r"[0-9]{1,9}", asked_revision):
        raise WireError(36, "client_protocol_version is not a number")
    info = _BLOCK_INFO if int(asked_revision) > 0 else b""
    typed = b"\0" if int(asked_revision) >= _TYPED_BYTE_REVISION else b""
    cells = (
        ("displayName()", "String", _text("inferometer")),
        ("version()", "String", _text(version)),
        ("revision()", "UInt32", bytes(4)),
        ("timezone()", "String", _text("UTC")),
    )
    columns = (_text(name) + _text(kind) + typed + value for name, kind, value in cells)
    return info + bytes((len(cells), 1)) + b"".join(columns)


def _text(text: str) -> bytes:
    raw = text.encode()
    return bytes((len(raw),)) + raw  # one byte of length is enough: all these texts are shorter than 128 bytes


def _decoded(body: bytes, encoding: str) -> bytes:
    if encoding not in {"", "identity"}:
        body = _unpacked(body, encoding)
    if len(body) > BODY_BYTES_MAX:
        raise WireError(307, f"the body is larger than {BODY_BYTES_MAX} bytes")
    return body


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding not in _PACKINGS:
        raise WireError(36, f"Content-Encoding {encoding!r}; allowed are {', '.join(_PACKINGS)}, identity")
    library, maker, arguments, failure_name = _PACKINGS[encoding]
    try:
        module: Any = import_module(library)
    except ImportError:
        raise WireError(36, f"Content-Encoding {encoding!r} needs {library}, which is not installed") from None
    unpacker: Any = getattr(module, maker)(*arguments)
    try:
        unpacked: bytes = unpacker.decompress(body, BODY_BYTES_MAX + 1)
    except getattr(module, failure_name, RuntimeError) as error:
        raise WireError(36, f"the body is not {encoding}: {error}") from None
    if not unpacker.eof and len(unpacked) <= BODY_BYTES_MAX:
        raise WireError(36, f"the body ends within its {encoding} stream")
    return unpacked


def _statement(query: str, body: bytes) -> tuple[str, bytes]:
    """Split SQL from data: the query is in the URL, in the body, or in both, one after the other."""
    if query:
        if re.match(r"\s*INSERT\b", query, re.IGNORECASE):
            return query, body
        return (f"{query}\n{_utf8(body)}" if body else query), b""
    if re.match(rb"\s*INSERT\b", body, re.IGNORECASE):
        found = re.search(rb"\bFORMAT\s+\w+[ \t\r]*\n?", body[: 256 * 1024], re.IGNORECASE)
        end = found.end() if found else len(body)
        return _utf8(body[:end]), body[end:]
    return _utf8(body), b""


def _utf8(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise WireError(62, f"the statement is not UTF-8: {error}") from None


def _form(content_type: str, body: bytes) -> dict[str, str]:
    boundary = _parameter(content_type, "boundary")
    parts = body.split(b"--" + boundary.encode())[1:-1] if boundary else []
    if not parts or len(parts) > FORM_FIELDS_MAX:
        raise WireError(36, f"a form of {len(parts)} fields, allowed are 1 to {FORM_FIELDS_MAX}")
    return dict(_field(part) for part in parts)


def _field(part: bytes) -> tuple[str, str]:
    head, _, value = part.partition(b"\r\n\r\n")
    lines = dict(line.split(": ", 1) for line in head.decode("latin-1").strip().split("\r\n") if ": " in line)
    disposition = {name.lower(): text for name, text in lines.items()}.get("content-disposition", "")
    return _parameter(disposition, "name"), _utf8(value.removesuffix(b"\r\n"))


def _parameter(value: str, name: str) -> str:
    message = Message()
    message["Content-Type"] = value
    found = message.get_param(name)
    return found if isinstance(found, str) else ""


def _content_type(output: str) -> str:
    if output.startswith("JSON"):
        return "application/json; charset=UTF-8"
    return "application/octet-stream" if output == "Native" else "text/tab-separated-values; charset=UTF-8"
