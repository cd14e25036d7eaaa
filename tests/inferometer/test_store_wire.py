import base64
import gzip
import sys
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from backports import zstd

from inferometer import store_wire
from inferometer.store_wire import WireError

VERSION = "26.9.2.1"


def basic(text: bytes) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(text).decode()}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({}, ("", ""), id="none"),
        pytest.param(basic(b"reader:a:b"), ("reader", "a:b"), id="basic"),
        pytest.param(basic(b"\xff"), ("", ""), id="basic that is not UTF-8"),
        pytest.param({"authorization": "Basic !"}, ("", ""), id="basic that is not base64"),
        pytest.param({"authorization": "Bearer t"}, ("", "t"), id="bearer"),
        pytest.param({"authorization": "Digest t"}, ("", ""), id="an unknown scheme"),
        pytest.param({"x-clickhouse-user": "u", "x-clickhouse-key": "k"}, ("u", "k"), id="ClickHouse headers"),
        pytest.param({"x-clickhouse-user": "u"}, ("u", ""), id="a user without a key"),
    ],
)
def test_credentials(headers: dict[str, str], expected: tuple[str, str]) -> None:
    assert expected == store_wire.credentials(headers)


@pytest.mark.parametrize(
    ("query", "body", "statement", "data"),
    [
        pytest.param(b"", b"SELECT 1", "SELECT 1", b"", id="SQL in the body"),
        pytest.param(b"query=SELECT+1", b"", "SELECT 1", b"", id="SQL in the URL"),
        pytest.param(b"query=SELECT", b"1", "SELECT\n1", b"", id="SQL in both"),
        pytest.param(
            b"", b"INSERT INTO t (a) FORMAT Native\n\n\x01", "INSERT INTO t (a) FORMAT Native\n", b"\n\x01",
            id="an insert whose data begins with a newline",
        ),
        pytest.param(b"query=INSERT+INTO+t", b"\xff", "INSERT INTO t", b"\xff", id="an insert with its SQL in the URL"),
        pytest.param(b"", b"INSERT INTO t", "INSERT INTO t", b"", id="an insert without format"),
    ],
)  # fmt: skip
def test_sql_is_split_from_data(query: bytes, body: bytes, statement: str, data: bytes) -> None:
    asked = store_wire.asked(query, {}, body)

    assert (statement, data) == (asked.statement, asked.data)


def test_parameters_and_options_come_from_the_url_and_from_a_form() -> None:
    fields = {"query": "SELECT {x:String}", "param_x": "a\r\nb"}
    parts = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in fields.items()]
    form = ("".join(parts) + "--b--\r\n").encode()
    asked = store_wire.asked(b"database=d&param_y=%C3%A4&z=", {"content-type": "multipart/form-data; boundary=b"}, form)

    assert "SELECT {x:String}" == asked.statement
    assert {"x": "a\r\nb", "y": "ä"} == asked.parameters
    assert {"database": "d", "z": "", "query": "SELECT {x:String}"} == asked.options


def test_forms_without_fields_or_with_too_many_are_refused() -> None:
    headers = {"content-type": "multipart/form-data; boundary=b"}
    field = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'

    assert store_wire.asked(b"", headers, field * store_wire.FORM_FIELDS_MAX + b"--b--").statement == ""
    for refused in (b"", field * (store_wire.FORM_FIELDS_MAX + 1) + b"--b--"):
        with pytest.raises(WireError, match="a form of"):
            store_wire.asked(b"", headers, refused)
    with pytest.raises(WireError, match="a form of"):
        store_wire.asked(b"", {"content-type": "multipart/form-data"}, field + b"--b--")


lz4_frame: Any = import_module("lz4.frame")


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("lz4", lz4_frame.compress),
        ("zstd", zstd.compress),
        ("", bytes),
    ],
)
def test_bodies_are_bounded_after_decompression(encoding: str, packed: Callable[[bytes], bytes]) -> None:
    headers = {"content-encoding": encoding}

    assert store_wire.asked(b"", headers, packed(b"SELECT 1")).statement == "SELECT 1"
    within = b"INSERT INTO t (a) FORMAT Native\n".ljust(store_wire.BODY_BYTES_MAX, b"x")
    assert len(store_wire.asked(b"", headers, packed(within)).data) == store_wire.BODY_BYTES_MAX - 32
    with pytest.raises(WireError, match="larger than"):
        store_wire.asked(b"", headers, packed(within + b"x"))


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("br", b"x"),
        ("gzip", b"not gzip"),
        ("lz4", b"not lz4 at all"),
        ("zstd", b"not zstd at all"),
        ("gzip", gzip.compress(b"SELECT 1", mtime=0)[:-3]),
    ],
)
def test_an_unknown_or_broken_encoding_is_refused(encoding: str, body: bytes) -> None:
    with pytest.raises(WireError) as caught:
        store_wire.asked(b"", {"content-encoding": encoding}, body)

    assert 36 == caught.value.code


def test_an_encoding_whose_library_is_missing_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lz4.frame", None)  # what the import system takes for "not installed"

    with pytest.raises(WireError, match=r"needs lz4\.frame"):
        store_wire.asked(b"", {"content-encoding": "lz4"}, b"x")


def test_a_statement_that_is_not_utf_8_is_a_syntax_error() -> None:
    with pytest.raises(WireError) as caught:
        store_wire.asked(b"", {}, b"SELECT '\xff'")

    assert 62 == caught.value.code


@pytest.mark.parametrize(
    ("code", "status"),
    [(62, 400), (516, 401), (164, 403), (497, 403), (60, 404), (159, 408), (307, 413), (202, 503), (241, 500)],
)
def test_an_error_has_its_status_code_and_text(code: int, status: int) -> None:
    answer = store_wire.failure(code, "Something", VERSION)
    headers = dict(answer.headers)

    assert (status, str(code)) == (answer.status, headers["X-ClickHouse-Exception-Code"])
    assert answer.body.startswith(b"Code: " + str(code).encode() + b". DB::Exception: Something")
    assert (status == 503) == ("Retry-After" in headers)
    assert (status == 401) == ("WWW-Authenticate" in headers)


def test_the_engines_own_words_are_kept() -> None:
    text = "Code: 60. DB::Exception: No table. (UNKNOWN_TABLE)"

    assert b"Code: 60. DB::Exception: No table. (UNKNOWN_TABLE) (version 26.9.2.1)\n" == (
        store_wire.engine_failure(text, VERSION).body
    )
    unknown = store_wire.engine_failure("strange", VERSION)
    assert (500, b"Code: 1000. DB::Exception: strange") == (unknown.status, unknown.body[:34])


@pytest.mark.parametrize(
    ("output", "expected"),
    [("Native", "application/octet-stream"), ("JSON", "application/json"), ("TSV", "text/tab-separated-values")],
)
def test_an_answer_names_its_format(output: str, expected: str) -> None:
    answer = store_wire.answer(b"x", output, query_id="q", summary={"read_rows": 1})
    headers = dict(answer.headers)

    assert expected == headers["Content-Type"].partition(";")[0]
    assert (output, "q", '{"read_rows": "1"}') == (
        headers["X-ClickHouse-Format"],
        headers["X-ClickHouse-Query-Id"],
        headers["X-ClickHouse-Summary"],
    )


def test_only_a_large_answer_is_compressed_and_only_on_request() -> None:
    large, small = store_wire.answer(b"x" * 5000, "TSV"), store_wire.answer(b"x", "TSV")

    packed = store_wire.compressed(large, "lz4, GZIP")
    assert b"x" * 5000 == gzip.decompress(packed.body)
    assert "gzip" == dict(packed.headers)["Content-Encoding"]
    assert large == store_wire.compressed(large, "lz4")
    assert small == store_wire.compressed(small, "gzip")


def test_text_is_escaped_as_a_parameter() -> None:
    assert "a\\\\b\\tc\\nd\\0" == store_wire.escaped("a\\b\tc\nd\0")


INFO = bytes.fromhex("010002ffffffff00")
HELLO = "SELECT displayName(),  version(), revision(), timezone()"


def hello_bytes(lead: bytes, typed: bytes) -> bytes:
    """A block of four columns and one row, as clickhouse-go's lib/proto/block.go reads it."""
    return (
        lead + b"\x04\x01"
        b"\x0ddisplayName()\x06String" + typed + b"\x0binferometer"
        b"\x09version()\x06String" + typed + b"\x0626.9.1"
        b"\x0arevision()\x06UInt32" + typed + b"\x00\x00\x00\x00"
        b"\x0atimezone()\x06String" + typed + b"\x03UTC"
    )


@pytest.mark.parametrize(
    ("revision", "expected"),
    [
        pytest.param(None, hello_bytes(b"", b""), id="none asked"),
        pytest.param("54453", hello_bytes(INFO, b""), id="before custom serialisation"),
        pytest.param("54454", hello_bytes(INFO, b"\0"), id="the first with it"),
        pytest.param("54483", hello_bytes(INFO, b"\0"), id="a new one"),
    ],
)
def test_clickhouse_gos_hello_reports_revision_0_byte_for_byte(revision: str | None, expected: bytes) -> None:
    options = {} if revision is None else {"client_protocol_version": revision}

    assert expected == store_wire.grafana_hello(HELLO, options, "26.9.1")


def test_only_that_statement_is_answered_by_hand() -> None:
    assert store_wire.grafana_hello("SELECT 1", {}, "26.9.1") is None
    for revision in ("x", "-1", "9" * 5000):
        with pytest.raises(store_wire.WireError) as refused:
            store_wire.grafana_hello(HELLO, {"client_protocol_version": revision}, "26.9.1")
        assert 36 == refused.value.code


def test_the_bound_of_a_head_is_32_kib() -> None:
    assert 32 * 1024 == store_wire.HEADER_BYTES_MAX
