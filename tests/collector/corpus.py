"""Exchanges that a byte copy must not change: what each side sends, when, and how it ends.

Source: spec/reliability.md 5.1; RFC 9112 for the framings; RFC 6455 1.2 and RFC 9113 3.4 for the upgrade and the
preface. Broken, hostile and cut exchanges are in `corpus_faults`.
"""

import base64
import gzip
from collections.abc import Sequence
from dataclasses import dataclass

from telemetry.testing.steps import AwaitBytes, AwaitEnd, AwaitToken, HalfClose, Pause, Send, paced
from telemetry.testing.wire import Script

A_MOMENT_S = 0.01
BIG = bytes(range(256)) * 40 * 1024  # 10 MiB, each byte value
EVERY_BYTE = bytes(range(256))
BROTLI = bytes.fromhex("1be603f825c2a2b1400034")  # 999 times the letter a, by brotli 1.2


@dataclass(frozen=True, slots=True)
class Case:
    """One exchange, played by both sides."""

    name: str
    client: Script
    server: Script


def plain(name: str, asked: bytes, answered: bytes) -> Case:
    """Return an exchange: the whole request, then the whole answer, then the end by the server."""
    return Case(name, [Send(asked), AwaitEnd(), HalfClose()], [AwaitBytes(len(asked)), Send(answered), HalfClose()])


def get(*lines: str, version: str = "HTTP/1.1") -> bytes:
    return spelled(f"GET /v1/models {version}", "Host: engine", *lines)


def post(body: bytes, *lines: str) -> bytes:
    return spelled("POST /v1/completions HTTP/1.1", "Host: engine", *lines, f"Content-Length: {len(body)}") + body


def answer(body: bytes, *lines: str, status: str = "200 OK") -> bytes:
    return spelled(f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines) + body


def spelled(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n"


def chunked(*parts: bytes, last: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + last


CHUNKED = spelled("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")
EVENTS = [b'data: {"n":%d,"text":"\xe2\x82\xac \xf0\x9f\xa6\x8a"}\n\n' % number for number in range(6)]
SSE_HEAD = spelled("HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Transfer-Encoding: chunked")
SSE = SSE_HEAD + chunked(*EVENTS, b"data: [DONE]\n\n")
REFUSED = answer(b"no", "Connection: close", status="400 Bad Request")

FRAMINGS = [
    plain("content-length", get(), answer(b"hello")),
    plain("content-length 0", get(), answer(b"")),
    plain("no content-length on a keep-alive answer", get(), spelled("HTTP/1.1 200 OK") + b"until the end"),
    plain("chunked", get(), CHUNKED + chunked(b"one", b"two")),
    plain("chunked with extensions and leading zeros", get(), CHUNKED + b'0003;a=b;c="d"\r\none\r\n00\r\n\r\n'),
    plain(
        "chunked with trailers", get("TE: trailers"), CHUNKED + chunked(b"x", last=b"0\r\nDigest: y\r\nB: c\r\n\r\n")
    ),
    plain(
        "chunked request with trailers",
        spelled("POST / HTTP/1.1", "Host: e", "Transfer-Encoding: chunked")
        + chunked(b"abc", last=b"0\r\nX: y\r\n\r\n"),
        answer(b"ok"),
    ),
    plain("10 000 chunks of one byte", get(), CHUNKED + chunked(*[b"z"] * 10_000)),
    plain("HTTP/1.0 close-delimited", get(version="HTTP/1.0"), spelled("HTTP/1.0 200 OK") + b"to the end"),
    plain(
        "HTTP/1.0 keep-alive", get("Connection: keep-alive", version="HTTP/1.0"), answer(b"x", "Connection: keep-alive")
    ),
    plain("HTTP/0.9", b"GET /\r\n", b"<html>no head at all</html>"),
    plain("HEAD", spelled("HEAD / HTTP/1.1", "Host: e"), spelled("HTTP/1.1 200 OK", "Content-Length: 12345")),
    plain("204", get(), spelled("HTTP/1.1 204 No Content")),
    plain("304 with a length", get('If-None-Match: "a"'), spelled("HTTP/1.1 304 Not Modified", "Content-Length: 99")),
    plain("301 with a body", get(), answer(b"moved", "Location: /v2", status="301 Moved Permanently")),
    plain("103 hints before the answer", get(), spelled("HTTP/1.1 103 Early Hints", "Link: </a>") + answer(b"x")),
    plain("three 1xx before the answer", get(), spelled("HTTP/1.1 102 Processing") * 3 + answer(b"x")),
    plain(
        "gzip answer",
        get("Accept-Encoding: gzip"),
        answer(gzip.compress(b"a" * 999, mtime=0), "Content-Encoding: gzip"),
    ),
    plain("brotli answer", get("Accept-Encoding: br"), answer(BROTLI, "Content-Encoding: br")),
    plain("gzip that is none", get(), answer(b"\x1f\x8b not gzip", "Content-Encoding: gzip")),
    plain("gzip request", post(gzip.compress(b"{}" * 99, mtime=0), "Content-Encoding: gzip"), answer(b"ok")),
    plain(
        "multipart request",
        post(b"--b\r\n\r\nx\r\n--b--\r\n", "Content-Type: multipart/form-data; boundary=b"),
        answer(b"ok"),
    ),
    plain("every byte value both ways", post(EVERY_BYTE), answer(EVERY_BYTE)),
    plain(
        "case, order and spaces of header fields",
        get("x-A:1", "X-a:  2  ", "ACCEPT: */*", "x-A:\t3"),
        answer(b"", "sErVeR: x", "Set-Cookie: a", "Set-Cookie: b"),
    ),
    plain("bytes above 127 in header fields", get("X: \xe9\xff"), answer(b"", "Y: \x80\xfe")),
    plain("a request line of 64 KiB", spelled("GET /" + "u" * 65536 + " HTTP/1.1", "Host: e"), answer(b"x")),
    plain("absolute-form", spelled("GET http://engine/v1 HTTP/1.1", "Host: other"), answer(b"x")),
    plain("asterisk-form", spelled("OPTIONS * HTTP/1.1", "Host: e"), answer(b"", "Allow: GET")),
    plain("an unknown method", spelled("BREW /pot HTTP/1.1", "Host: e"), answer(b"teapot", status="418 I'm a teapot")),
    plain("empty lines before the request", b"\r\n\r\n" + get(), answer(b"x")),
]

STREAMS = [
    plain("SSE whole", post(b"{}"), SSE),
    plain("SSE with CRLF, CR and comments", post(b"{}"), SSE_HEAD + chunked(b": ping\r\n\r\ndata: 1\r\rdata: 2\n\n")),
    plain("SSE without [DONE]", post(b"{}"), SSE_HEAD + chunked(*EVENTS)),
    plain("SSE with an error event", post(b"{}"), SSE_HEAD + chunked(EVENTS[0], b'data: {"error":{"code":500}}\n\n')),
    plain("SSE that ends inside an event", post(b"{}"), SSE_HEAD + b"40\r\ndata: {"),
    plain("SSE with two objects in one event", post(b"{}"), SSE_HEAD + chunked(b"data: {}\ndata: {}\n\n")),
    plain(
        "SSE in gzip",
        post(b"{}"),
        spelled("HTTP/1.1 200 OK", "Content-Encoding: gzip", "Transfer-Encoding: chunked")
        + chunked(gzip.compress(b"".join(EVENTS), mtime=0)),
    ),
    plain("SSE to the end of the connection", post(b"{}"), spelled("HTTP/1.1 200 OK") + b"".join(EVENTS)),
    Case(
        "SSE split at every byte",
        [Send(post(b"{}")), AwaitEnd(), HalfClose()],
        [AwaitToken(), *paced(SSE, 1), HalfClose()],
    ),
    Case(
        "SSE event by event",
        [Send(post(b"{}")), AwaitEnd(), HalfClose()],
        [
            AwaitToken(),
            Send(SSE_HEAD),
            *(step for event in EVENTS for step in (Send(chunked(event, last=b"")), Pause(0.002))),
            Send(b"0\r\n\r\n"),
            HalfClose(),
        ],
    ),
]

DIALOGUES = [
    Case(
        "100-continue",
        [Send(get("Expect: 100-continue", "Content-Length: 4")), AwaitToken(), Send(b"body"), AwaitEnd(), HalfClose()],
        [AwaitToken(), Send(spelled("HTTP/1.1 100 Continue")), AwaitToken(b"body"), Send(answer(b"ok")), HalfClose()],
    ),
    Case(
        "100-continue refused",
        [Send(get("Expect: 100-continue", "Content-Length: 4")), AwaitEnd(), HalfClose()],
        [AwaitToken(), Send(answer(b"", status="417 Expectation Failed")), HalfClose()],
    ),
    Case(
        "100-continue not waited for",
        [Send(get("Expect: 100-continue", "Content-Length: 4") + b"body"), AwaitEnd(), HalfClose()],
        [AwaitToken(b"body"), Send(spelled("HTTP/1.1 100 Continue") + answer(b"ok")), HalfClose()],
    ),
    plain("two pipelined requests", get() * 2, answer(b"1") + answer(b"2")),
    plain("a hundred pipelined requests", get() * 100, answer(b"x") * 100),
    Case(
        "a pipelined request after the first answer began",
        [Send(get()), AwaitToken(), Send(get()), AwaitEnd(), HalfClose()],
        [
            AwaitToken(),
            Send(spelled("HTTP/1.1 200 OK", "Content-Length: 2") + b"a"),
            AwaitToken(),
            Send(b"b" + answer(b"2")),
            HalfClose(),
        ],
    ),
    Case(
        "three requests on one connection",
        [*[Send(get()), AwaitToken(b"done")] * 3, HalfClose()],
        [*[AwaitToken(), Send(answer(b"done"))] * 3, AwaitEnd(), HalfClose()],
    ),
    Case(
        "a request split at every byte",
        [*paced(post(b"body"), 1), AwaitEnd(), HalfClose()],
        [AwaitToken(b"body"), Send(answer(b"ok")), HalfClose()],
    ),
    Case(
        "the server answers before the request is complete and closes",
        [Send(spelled("POST / HTTP/1.1", "Host: e", "Content-Length: 999") + b"part"), AwaitEnd(), HalfClose()],
        [AwaitToken(b"part"), Send(answer(b"", status="413 Content Too Large")), HalfClose()],
    ),
    Case(
        "the server answers before the request is complete and reads on",
        [
            Send(spelled("POST / HTTP/1.1", "Host: e", "Content-Length: 8") + b"half"),
            AwaitToken(b"early"),
            Send(b"rest"),
            HalfClose(),
        ],
        [AwaitToken(b"half"), Send(answer(b"early")), AwaitEnd(), HalfClose()],
    ),
    Case(
        "the server speaks first",
        [Send(b"h"), AwaitToken(b"220 hi\r\n"), Send(b"QUIT\r\n"), HalfClose()],
        [AwaitBytes(1), Send(b"220 hi\r\n"), AwaitEnd(), Send(b"221 bye\r\n"), HalfClose()],
    ),
    Case(
        "408 from a server that tires of waiting",
        [Send(b"GET / HT"), AwaitEnd(), HalfClose()],
        [AwaitBytes(8), Pause(A_MOMENT_S), Send(answer(b"", status="408 Request Timeout")), HalfClose()],
    ),
]

WS_KEY = base64.b64encode(b"the sample nonce").decode()  # RFC 6455 1.3
WS_ASK = get("Connection: Upgrade", "Upgrade: websocket", f"Sec-WebSocket-Key: {WS_KEY}", "Sec-WebSocket-Version: 13")
WS_YES = spelled("HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket")
TLS_HELLO = bytes.fromhex("16030100a5010000a10303") + EVERY_BYTE[:158] + bytes(4)
H2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")

OTHER_PROTOCOLS = [
    Case(
        "WebSocket with frames both ways",
        [Send(WS_ASK), AwaitToken(), Send(b"\x81\x83abcd" + EVERY_BYTE), AwaitEnd(), HalfClose()],
        [
            AwaitToken(),
            Send(WS_YES),
            AwaitBytes(len(WS_ASK) + 262),
            Send(b"\x81\x03abc" + EVERY_BYTE + b"\x88\0"),
            HalfClose(),
        ],
    ),
    plain("WebSocket refused", WS_ASK, REFUSED),
    plain(
        "h2c upgrade ignored",
        get("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
        answer(b"1.1"),
    ),
    plain("TLS ClientHello", TLS_HELLO, bytes.fromhex("1503010002028a")),
    Case(
        "TLS-like records both ways",
        [Send(TLS_HELLO), AwaitBytes(64), Send(b"\x17\x03\x03\x00\x04xxxx"), HalfClose()],
        [
            AwaitBytes(len(TLS_HELLO)),
            Send(b"\x16\x03\x03" + EVERY_BYTE[:61]),
            AwaitEnd(),
            Send(b"\x15\x03\x03"),
            HalfClose(),
        ],
    ),
    plain("HTTP/2 preface", H2_PREFACE, bytes.fromhex("000000040000000000000000040100000000")),
    Case(
        "CONNECT and bytes both ways",
        [
            Send(spelled("CONNECT other:443 HTTP/1.1", "Host: other:443")),
            AwaitToken(),
            Send(TLS_HELLO),
            AwaitEnd(),
            HalfClose(),
        ],
        [
            AwaitToken(),
            Send(spelled("HTTP/1.1 200 Connection established")),
            AwaitToken(TLS_HELLO),
            Send(EVERY_BYTE),
            HalfClose(),
        ],
    ),
    plain("CONNECT refused", spelled("CONNECT other:443 HTTP/1.1", "Host: other:443"), REFUSED),
]

BIG_BODIES = [
    plain("10 MiB answer with a length", get(), answer(BIG)),
    plain(
        "10 MiB answer in chunks of 10 000",
        get(),
        CHUNKED + chunked(*(BIG[at : at + 10_000] for at in range(0, len(BIG), 10_000))),
    ),
    plain("10 MiB request", post(BIG), answer(b"ok")),
    Case("10 MiB both ways at once", [Send(post(BIG)), HalfClose()], [AwaitToken(), Send(answer(BIG)), HalfClose()]),
]

CORPUS: Sequence[Case] = [*FRAMINGS, *STREAMS, *DIALOGUES, *OTHER_PROTOCOLS, *BIG_BODIES]
