"""Knows what the observer costs per streamed chunk and per tiny request, with the breakdown by layer.

The stream is what vLLM behind uvicorn sends: one SSE event of about 236 bytes for each token, each in one chunk of the
chunked coding, each chunk one frame; 200 connections interleaved, one channel message per turn of the tee. Everything
runs in one process on one core; CPU time is taken, the best of several rounds, because the machine is shared.
"""

import gc
import time
from collections.abc import Callable, Sequence
from random import Random

from benchmarks.harness import Answer, Figure, main
from benchmarks.store_records import records
from collector.channel import Reader, pair
from collector.connection import Endpoint
from collector.frames import Frame, Kind, decode, encode
from collector.http_frames import ResponseFramer
from collector.labels import Labels
from collector.observe import Worker
from collector.rows import Dimensions, Rows
from collector.series import Series
from telemetry.clock import WallAnchor
from telemetry.dialects import request_shape
from telemetry.meter import StreamMeter
from telemetry.record import RequestRecord

CONNECTIONS = 200
MODEL = "meta-llama/Llama-3.1-8B-Instruct"
BODY = (
    b'{"model":"' + MODEL.encode() + b'","messages":[{"role":"user","content":"' + b"why is the sky blue " * 10
    + b'"}],"stream":true,"stream_options":{"include_usage":true}}'
)  # fmt: skip
REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:8100\r\naccept: application/json\r\n"
    b"accept-encoding: identity\r\nconnection: keep-alive\r\nuser-agent: bench\r\ncontent-type: application/json\r\n"
    b"authorization: Bearer x\r\ncontent-length: " + str(len(BODY)).encode() + b"\r\n\r\n" + BODY
)
HEAD = (
    b"HTTP/1.1 200 OK\r\ndate: Tue, 01 Jan 2030 00:00:00 GMT\r\nserver: uvicorn\r\n"
    b"content-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)
TINY_REQUEST = b"GET /health HTTP/1.1\r\nhost: 127.0.0.1:8100\r\nuser-agent: bench\r\n\r\n"
TINY_RESPONSE = b"HTTP/1.1 200 OK\r\nserver: uvicorn\r\ncontent-length: 2\r\n\r\nok"
MS_NS = 1_000_000
GROUP = 16
"""Messages that gather in the channel between two turns of the observer."""
TARGET_US_PER_CHUNK = 10.0


def event(delta: str, finish: str = "null") -> bytes:
    """Return one event as vLLM writes it."""
    return (
        b'data: {"id":"chatcmpl-0d0f4c5a8a6b4a6f9d1f6b1f","object":"chat.completion.chunk","created":1790000000,'
        b'"model":"' + MODEL.encode() + b'","choices":[{"index":0,"delta":' + delta.encode()
        + b',"logprobs":null,"finish_reason":' + finish.encode() + b"}]}\n\n"
    )  # fmt: skip


def chunk(data: bytes) -> bytes:
    """Return bytes as one chunk of the chunked coding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def stream_frames(tokens: int) -> list[list[bytes]]:
    """Return the frames of one turn each: turn 0 opens every connection, the last one ends every stream."""
    usage = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":60,"completion_tokens":%d}}\n\n' % tokens
    ending = [event("{}", '"stop"'), usage, b"data: [DONE]\n\n"]
    bodies = [event('{"role":"assistant","content":""}'), *[event('{"content":" token"}')] * tokens, *ending]
    turns = [[encode(Kind.ACCEPTED, c, c) + encode(Kind.CONNECTED, c, c) for c in range(1, CONNECTIONS + 1)]]
    turns.append([encode(Kind.REQUEST_BYTES, c, MS_NS + c, REQUEST) for c in range(1, CONNECTIONS + 1)])
    turns.append([encode(Kind.RESPONSE_BYTES, c, 2 * MS_NS + c, HEAD) for c in range(1, CONNECTIONS + 1)])
    for turn, body in enumerate(bodies, 3):
        payload = chunk(body) + (b"0\r\n\r\n" if turn == len(bodies) + 2 else b"")
        at_ns = turn * 20 * MS_NS
        turns.append([encode(Kind.RESPONSE_BYTES, c, at_ns + c, payload) for c in range(1, CONNECTIONS + 1)])
    return turns


def messages(turns: list[list[bytes]], frames_per_message: int) -> list[bytes]:
    """Return the turns as messages of the channel."""
    step = frames_per_message
    return [b"".join(turn[at : at + step]) for turn in turns for at in range(0, len(turn), step)]


def fresh_worker() -> tuple[Endpoint, Worker]:
    """Return a new endpoint and its only worker."""
    labels, anchor = Labels([MODEL]), WallAnchor(unix_ms=1_790_000_000_000, at_ns=0)
    rows = Rows(Dimensions(endpoint="bench"), labels, random=Random(1), anchor=anchor)  # noqa: S311 -- no secret
    endpoint = Endpoint(rows)
    return endpoint, Worker(endpoint)


def cpu_us(work: Callable[[], object], rounds: int) -> float:
    """Return the least CPU time of several rounds, microseconds."""
    spent: list[int] = []
    for _ in range(rounds):
        gc.collect()
        began = time.process_time_ns()
        work()
        spent.append(time.process_time_ns() - began)
    return min(spent) / 1000


def observe_all(packed: list[bytes]) -> int:
    """Run the whole path; returns the number of records."""
    endpoint, worker = fresh_worker()
    for message in packed:
        worker.take(decode(message))
    return len(endpoint.take())


def receive_all(packed: list[bytes]) -> float:
    """Run the whole path behind a real channel; returns microseconds of CPU, the sender's left out."""
    _, worker = fresh_worker()
    reading, writing = pair()
    reader, spent = Reader(reading), 0
    with reading, writing:
        for at in range(0, len(packed), GROUP):
            for message in packed[at : at + GROUP]:
                writing.send(message)
            began = time.process_time_ns()
            worker.take(reader.frames())
            spent += time.process_time_ns() - began
    return spent / 1000


def decode_all(packed: list[bytes]) -> None:
    """Run the channel's decoding alone."""
    for message in packed:
        for _frame in decode(message):
            pass


def frame_all(frames: list[Frame]) -> None:
    """Run the framing of one long response alone."""
    framer = ResponseFramer()
    framer.expect("POST")
    framer.feed(HEAD)
    for _, _, _, payload in frames:
        if framer.whole_chunk(payload) is None:
            framer.feed(payload)


def meter_all(bodies: list[bytes]) -> None:
    """Run the meter of one long response alone."""
    meter = StreamMeter(request_shape("POST", "/v1/chat/completions", BODY))
    meter.begin(0)
    meter.sent(1)
    meter.headers(200, [(b"content-type", b"text/event-stream")], 2)
    for at, body in enumerate(bodies, 1):
        meter.feed(body, at * 20 * MS_NS)
    meter.end(len(bodies) * 20 * MS_NS)
    meter.result()


def count_all(finished: Sequence[RequestRecord]) -> None:
    """Count finished requests alone, as `/metrics` and OTLP show them."""
    series = Series()
    for record in finished:
        series.add(record)


def tiny_messages(requests: int) -> list[bytes]:
    """Return requests without a body on one kept connection, one message each."""
    opening = encode(Kind.ACCEPTED, 1, 1) + encode(Kind.CONNECTED, 1, 1)
    pairs = [
        encode(Kind.REQUEST_BYTES, 1, at * MS_NS, TINY_REQUEST)
        + encode(Kind.RESPONSE_BYTES, 1, at * MS_NS + 9, TINY_RESPONSE)
        for at in range(1, requests + 1)
    ]
    return [opening, *pairs]


def measure(quick: bool) -> Answer:  # noqa: FBT001 -- the interface of the harness
    """Measure."""
    tokens, rounds, tiny_n = (100, 3, 5_000) if quick else (400, 7, 50_000)
    turns = stream_frames(tokens)
    chunks_n = CONNECTIONS * (tokens + 4)
    packed, single, tiny = messages(turns, CONNECTIONS), messages(turns, 1), tiny_messages(tiny_n)
    if (observe_all(packed), observe_all(tiny)) != (CONNECTIONS, tiny_n):
        raise SystemExit("observer: not every request became a record")
    bodies = [event('{"content":" token"}')] * chunks_n
    wires = [Frame(Kind.RESPONSE_BYTES, 1, 0, chunk(body)) for body in bodies]
    whole_us = cpu_us(lambda: observe_all(packed), rounds) / chunks_n
    lone_us = min(receive_all(single) for _ in range(rounds)) / chunks_n
    decode_us = cpu_us(lambda: decode_all(packed), rounds) / chunks_n
    http_us = cpu_us(lambda: frame_all(wires), rounds) / chunks_n
    meter_us = cpu_us(lambda: meter_all(bodies), rounds) / chunks_n
    tiny_us = cpu_us(lambda: observe_all(tiny), rounds) / tiny_n
    finished = records(5_000, 1_790_000_000_000, Random(1))  # noqa: S311 -- no secret
    count_us = cpu_us(lambda: count_all(finished), rounds) / len(finished)
    rest_us = whole_us - decode_us - http_us - meter_us
    figures = [
        Figure(name="observer per chunk", value=whole_us, unit="us", note=f"{CONNECTIONS} frames per message"),
        Figure(name="observer per chunk, alone in a message", value=lone_us, unit="us", note="recv included"),
        Figure(name="  channel decode", value=decode_us, unit="us"),
        Figure(name="  HTTP framing", value=http_us, unit="us"),
        Figure(name="  SSE and meter", value=meter_us, unit="us"),
        Figure(name="  connections, heads and rows", value=rest_us, unit="us", note="the rest, per chunk"),
        Figure(name="observer per tiny request", value=tiny_us, unit="us", note="GET /health, one record each"),
        Figure(name="counting a finished request", value=count_us, unit="us", note="for /metrics and OTLP"),
        Figure(name="chunks per second and core", value=1e6 / whole_us, unit="1/s"),
    ]
    ratios = {"us_per_chunk": whole_us, "us_per_chunk_vs_target": whole_us / TARGET_US_PER_CHUNK}
    ratios["us_per_tiny_request"] = tiny_us
    setting: dict[str, object] = {"connections": CONNECTIONS, "tokens": tokens, "chunk_bytes": len(bodies[0])}
    return Answer(benchmark="observer", figures=figures, ratios=ratios, setting=setting)


if __name__ == "__main__":
    main("observer", measure)
