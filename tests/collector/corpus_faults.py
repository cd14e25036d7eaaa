"""Broken, hostile and cut exchanges, which a byte copy must not mend.

Source: spec/reliability.md 4.3 (the 24 smuggling shapes) and 5.1.
"""

from collections.abc import Sequence

from corpus import (
    A_MOMENT_S,
    CHUNKED,
    EVENTS,
    EVERY_BYTE,
    REFUSED,
    SSE_HEAD,
    Case,
    answer,
    chunked,
    get,
    plain,
    post,
    spelled,
)

from telemetry.testing.steps import AwaitBytes, AwaitEnd, AwaitToken, Close, HalfClose, Pause, Reset, Send, paced

BROKEN_ANSWERS = [
    plain("no answer at all", get(), b""),
    plain("an answer that is no HTTP", get(), b"-ERR what\r\n" + EVERY_BYTE),
    plain("half a status line", get(), b"HTTP/1.1 20"),
    plain("a head without an end", get(), b"HTTP/1.1 200 OK\r\nContent-Le"),
    plain("a chunk cut short", get(), CHUNKED + b"ff\r\nonly this"),
    plain("a chunk size that is no number", get(), CHUNKED + b"zz\r\nxx\r\n0\r\n\r\n"),
    plain("a body shorter than its length", get(), spelled("HTTP/1.1 200 OK", "Content-Length: 99") + b"short"),
    plain("a body longer than its length", get(), spelled("HTTP/1.1 200 OK", "Content-Length: 2") + b"longer"),
    plain(
        "two different lengths", get(), spelled("HTTP/1.1 200 OK", "Content-Length: 2", "Content-Length: 3") + b"abc"
    ),
    plain(
        "length and chunked",
        get(),
        spelled("HTTP/1.1 200 OK", "Content-Length: 3", "Transfer-Encoding: chunked") + chunked(b"abc"),
    ),
    plain("obs-fold in an answer", get(), b"HTTP/1.1 200 OK\r\nX: a\r\n  folded\r\nContent-Length: 0\r\n\r\n"),
    plain("NUL in an answer's header", get(), b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n"),
    plain("bare LF in an answer", get(), b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
    plain("a header of 1 MiB in an answer", get(), answer(b"x", "X: " + "y" * 1024 * 1024)),
    plain("500 with HTML", get(), answer(b"<h1>oops</h1>", "Content-Type: text/html", status="500 Oops")),
    plain("429 with Retry-After", get(), answer(b"{}", "Retry-After: 1", status="429 Too Many Requests")),
]


SMUGGLED = b"GET /admin HTTP/1.1\r\nHost: engine\r\n\r\n"
START = b"POST / HTTP/1.1\r\nHost: engine\r\n"
CHUNKED_FIELD = b"Transfer-Encoding: chunked\r\n"
NO_CHUNKS = b"0\r\n\r\n"

SMUGGLING_BYTES = {
    "CL and TE": START + b"Content-Length: 6\r\n" + CHUNKED_FIELD + b"\r\n" + NO_CHUNKS + SMUGGLED,
    "TE xchunked": START + b"Transfer-Encoding: xchunked\r\n\r\n" + NO_CHUNKS + SMUGGLED,
    "TE chunked, identity": START + b"Transfer-Encoding: chunked, identity\r\n\r\n" + NO_CHUNKS + SMUGGLED,
    "TE twice": START + CHUNKED_FIELD + b"Transfer-Encoding: identity\r\n\r\n" + NO_CHUNKS + SMUGGLED,
    "TE with a vertical tab": START + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + NO_CHUNKS + SMUGGLED,
    "CL twice, different": START + b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + SMUGGLED,
    "CL +5": START + b"Content-Length: +5\r\n\r\nhello" + SMUGGLED,
    "CL 0_5": START + b"Content-Length: 0_5\r\n\r\nhello" + SMUGGLED,
    "chunk 0x5": START + CHUNKED_FIELD + b"\r\n0x5\r\nhello\r\n" + NO_CHUNKS + SMUGGLED,
    "chunk +5": START + CHUNKED_FIELD + b"\r\n+5\r\nhello\r\n" + NO_CHUNKS + SMUGGLED,
    "chunk extension with LF": START + CHUNKED_FIELD + b"\r\n5;a\nb\r\nhello\r\n" + NO_CHUNKS + SMUGGLED,
    "data after a chunk": START + CHUNKED_FIELD + b"\r\n5\r\nhelloXX\r\n" + NO_CHUNKS + SMUGGLED,
    "LF-only chunks": START + CHUNKED_FIELD + b"\r\n5\nhello\n0\n\n" + SMUGGLED,
    "bare-LF lines": b"POST / HTTP/1.1\nHost: engine\nContent-Length: 0\n\n" + SMUGGLED,
    "space before the colon": START + b"Content-Length : 44\r\n\r\n" + SMUGGLED,
    "obs-fold": START + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + NO_CHUNKS + SMUGGLED,
    "NUL in a value": START + b"X: a\0b\r\n\r\n" + SMUGGLED,
    "CR in a value": START + b"X: a\rTransfer-Encoding: chunked\r\n\r\n" + SMUGGLED,
    "HTTP/1.0 and TE": b"POST / HTTP/1.0\r\nHost: engine\r\n" + CHUNKED_FIELD + b"\r\n" + NO_CHUNKS + SMUGGLED,
    "no Host": b"GET / HTTP/1.1\r\n\r\n" + SMUGGLED,
    "two Hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + SMUGGLED,
    "GET with a length that hides a request": get(f"Content-Length: {len(SMUGGLED)}") + SMUGGLED,
    "a header of 1 MiB": get("X: " + "y" * 1024 * 1024) + SMUGGLED,
    "20 000 headers": get(*(f"X-{number}: {number}" for number in range(20_000))) + SMUGGLED,
}
SMUGGLING = [plain(f"smuggling: {name}", asked, REFUSED) for name, asked in SMUGGLING_BYTES.items()]

HALF_ASKED = spelled("POST / HTTP/1.1", "Host: e", "Content-Length: 99") + b"half"
HALF_SSE = SSE_HEAD + chunked(*EVENTS[:3], last=b"")

CUTS = [
    Case(
        "the client half-closes before the answer",
        [Send(post(b"{}")), HalfClose()],
        [AwaitEnd(), Send(answer(b"still")), HalfClose()],
    ),
    Case(
        "the client half-closes during the answer",
        [Send(get()), AwaitToken(), HalfClose()],
        [AwaitToken(), Send(HALF_SSE), AwaitEnd(), Send(b"0\r\n\r\n"), HalfClose()],
    ),
    Case(
        "the server half-closes and the client sends on",
        [Send(HALF_ASKED), AwaitEnd(), Send(b"the rest"), HalfClose()],
        [AwaitToken(b"half"), Send(answer(b"early")), HalfClose()],
    ),
    Case("a connection without a byte", [HalfClose()], [AwaitEnd(), HalfClose()]),
    Case("one byte and the end", [Send(b"G"), HalfClose()], [AwaitEnd(), HalfClose()]),
    Case("half a request and the end", [Send(HALF_ASKED), HalfClose()], [AwaitEnd(), HalfClose()]),
    Case(
        "the server closes at once",
        [Send(get()), AwaitEnd(), HalfClose()],
        [AwaitToken(), HalfClose()],
    ),
    Case("the server resets without an answer", [Send(get()), AwaitEnd()], [AwaitToken(), Reset()]),
    Case(
        "the server resets in the middle of a stream",
        [Send(get()), AwaitEnd()],
        [AwaitToken(), Send(HALF_SSE), Pause(A_MOMENT_S), Reset()],
    ),
    Case(
        "the server resets right behind its bytes",
        [Send(get()), AwaitEnd()],
        [AwaitToken(), Send(HALF_SSE), Reset()],
    ),
    Case(
        "the server resets in the middle of an upload",
        [Send(HALF_ASKED), AwaitEnd()],
        [AwaitToken(b"half"), Reset()],
    ),
    Case(
        "the client resets in the middle of a stream",
        [Send(get()), AwaitBytes(len(HALF_SSE)), Reset()],
        [AwaitToken(), Send(HALF_SSE), AwaitEnd()],
    ),
    Case(
        "the client resets in the middle of an upload",
        [Send(HALF_ASKED), AwaitToken(b"go on"), Reset()],
        [AwaitToken(b"half"), Send(b"go on"), AwaitEnd()],
    ),
    Case(
        "the client closes in the middle of a stream",
        [Send(get()), AwaitBytes(len(HALF_SSE)), Close()],
        [AwaitToken(), Send(HALF_SSE), AwaitEnd(), HalfClose()],
    ),
    Case(
        "a slow server",
        [Send(get()), AwaitEnd(), HalfClose()],
        [AwaitToken(), *paced(b"HTTP/1.1 204 N\r\n\r\n", 1, 0.001), HalfClose()],
    ),
    Case(
        "a slow client",
        [*paced(get(), 1, 0.001), AwaitEnd(), HalfClose()],
        [AwaitBytes(len(get())), Send(answer(b"x")), HalfClose()],
    ),
]

CORPUS: Sequence[Case] = [*BROKEN_ANSWERS, *SMUGGLING, *CUTS]
