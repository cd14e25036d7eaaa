"""Knows how to send seeded chat requests at a bounded rate to the tee of a running demo; refuses any other address.

    python -m inferometer.demo_traffic --data DIR --seed 7 --rate-per-s 5

Arrivals are a Poisson process; one client in twenty, unless told otherwise, is impatient and hangs up if nothing of the
answer has come after a while, as people do.

Source: spec/ui.md 1.4 (5 requests per second).
"""

import argparse
import asyncio
import json
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import cast

from inferometer.data_directory import DataDirectory, read_status
from inferometer.defaults import LOOPBACK
from telemetry.clock import sleep
from telemetry.testing.engine_bodies import MODEL

RATE_PER_S_MAX = 50.0
"""Most requests per second."""
OPEN_MAX = 256
"""Most requests in flight; an arrival beyond it is left out."""
_LOOK_S = 0.1
_REQUEST_S = 60.0
_GIVES_UP_RATIO = 0.05
_PATIENCE_S = (1.0, 3.0)
_READ_BYTES = 1 << 16
_EVENT = b"data: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request.

    Attributes:
        gap_s: Wait before it.
        prompt_words: Length of the prompt.
        tokens_max: Most output tokens.
        patience_s: When the client hangs up if nothing came; None waits for the end.
    """

    gap_s: float
    prompt_words: int
    tokens_max: int
    patience_s: float | None


def draw(random: Random, rate_per_s: float, impatient_ratio: float = _GIVES_UP_RATIO) -> Call:
    """Return the next request."""
    impatient = random.random() < impatient_ratio
    return Call(
        gap_s=random.expovariate(min(rate_per_s, RATE_PER_S_MAX)),
        prompt_words=random.randint(8, 400),
        tokens_max=random.randint(8, 96),
        patience_s=random.uniform(*_PATIENCE_S) if impatient else None,
    )


def spelled(call: Call) -> bytes:
    """Return the request's bytes."""
    asked = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "tell me " * (call.prompt_words // 2)}],
        "max_tokens": call.tokens_max,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    body = json.dumps(asked).encode()
    lines = (
        "POST /v1/chat/completions HTTP/1.1",
        f"Host: {LOOPBACK}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def send(port: int, call: Call) -> int:
    """Send one request and read to its end, or until patience is over; returns the bytes that came."""
    read = 0
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(call.patience_s or _REQUEST_S) as limit:
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(spelled(call))
                while data := await reader.read(_READ_BYTES):
                    read += len(data)
                    if _EVENT in data:
                        limit.reschedule(asyncio.get_running_loop().time() + _REQUEST_S)
            finally:
                writer.close()
    return read


async def traffic(port: int, seed: int, rate_per_s: float, impatient_ratio: float = _GIVES_UP_RATIO) -> None:
    """Send until cancelled."""
    random = Random(seed)  # noqa: S311  # a repeatable sequence is wanted
    async with asyncio.TaskGroup() as group:
        opened: set[asyncio.Task[int]] = set()
        while True:
            call = draw(random, rate_per_s, impatient_ratio)
            await asyncio.sleep(call.gap_s)
            if len(opened) < OPEN_MAX:
                task = group.create_task(send(port, call))
                opened.add(task)
                task.add_done_callback(opened.discard)


def _tee_port(data: DataDirectory) -> int | None:
    status = read_status(data)
    return cast("dict[str, int]", status["ports"])["tee"] if status.get("ready") else None


async def _until_signalled(port: int, given: argparse.Namespace) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(traffic(port, given.seed, given.rate_per_s, given.impatient_ratio))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def main() -> None:
    """Read the command line and send."""
    parser = argparse.ArgumentParser(prog="python -m inferometer.demo_traffic")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--rate-per-s", type=float, default=5.0)
    parser.add_argument("--impatient-ratio", type=float, default=_GIVES_UP_RATIO)
    given = parser.parse_args()
    while not (port := _tee_port(DataDirectory(root=given.data))):
        sleep(_LOOK_S)
    asyncio.run(_until_signalled(port, given))


if __name__ == "__main__":
    main()
