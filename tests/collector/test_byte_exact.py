"""Shows that the tee changes nothing: each exchange of the corpus is played directly and through a real worker.

The bytes that each side receives and the way its connection ends are the same both times. The observer's channel is
there and full, since nobody reads it: the worst case for a data plane that must not wait.
"""

import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import corpus
import corpus_faults
import pytest
from corpus import Case
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telemetry.testing.client import exchange
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitBytes, AwaitEnd, HalfClose, Pause, Reset, Send, paced
from telemetry.testing.wire import Ending, Script, Step

CORPUS = [*corpus.CORPUS, *corpus_faults.CORPUS]
PIECE_BYTES = 7
RESPLIT_BYTES_MAX = 2000  # larger exchanges are played as written only, for time


class Rig(NamedTuple):
    endpoint: Endpoint
    tee: tuple[str, int]


class Fate(NamedTuple):
    """What both sides saw; equal fates are all that the law asks for."""

    client_received: bytes
    client_ending: Ending
    server_received: bytes
    server_ending: Ending


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    reader, writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    fds = (listener.fileno(), writer.fileno())
    with Endpoint(deadline_s=20.0) as endpoint, reader, writer, listener:
        target = f"{endpoint.address[0]}:{endpoint.address[1]}"
        command = [sys.executable, "-m", "collector.tee", "--drain-s-max", "0", "--target", target]
        command += ["--listen-fd", str(fds[0]), "--channel-fd", str(fds[1])]
        worker = subprocess.Popen(command, pass_fds=fds)
        try:
            yield Rig(endpoint, listener.getsockname())
        finally:
            worker.terminate()
            worker.wait(10)


def fate(endpoint: Endpoint, address: tuple[str, int], client: Script, server: Script) -> Fate:
    endpoint.enqueue(server)
    seen = exchange(address, client, deadline_s=20.0)
    [served] = endpoint.transcripts(1)
    endpoint.forget()
    return Fate(seen.received, seen.ending, served.received, served.ending)


def check(rig: Rig, client: Script, server: Script) -> Fate:
    direct = fate(rig.endpoint, rig.endpoint.address, client, server)
    through = fate(rig.endpoint, rig.tee, client, server)

    assert direct == through
    assert Ending.DEADLINE not in direct
    return direct


def split(script: Script) -> list[Step]:
    return [piece for step in script for piece in (paced(step.data, PIECE_BYTES) if isinstance(step, Send) else [step])]


def size(script: Script) -> int:
    return sum(len(step.data) for step in script if isinstance(step, Send))


@pytest.mark.parametrize("case", CORPUS, ids=[case.name for case in CORPUS])
def test_the_tee_is_invisible(case: Case, rig: Rig) -> None:
    as_written = check(rig, case.client, case.server)
    if size(case.client) + size(case.server) <= RESPLIT_BYTES_MAX:
        resplit = check(rig, split(case.client), split(case.server))

        assert as_written == resplit


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(CORPUS) >= 60
    assert len(CORPUS) == len({case.name for case in CORPUS})
    assert 24 == len(corpus_faults.SMUGGLING)  # spec/reliability.md 4.3


# At least one byte each way: a reset that comes before the first byte races with the connect, also without a tee.
chunks = st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=6)


class Ends(NamedTuple):
    """What each side does after it has sent its bytes."""

    client: str
    server: str


ENDS = [
    Ends("half-close", "half-close"),
    Ends("half-close", "await end"),
    Ends("await end", "half-close"),
    Ends("reset", "await end"),
    Ends("await end", "reset"),
]


def scripted(sent: Sequence[bytes], end: str, other_bytes: int) -> list[Step]:
    steps: list[Step] = [step for data in sent for step in (Send(data), Pause(0))]
    last: dict[str, list[Step]] = {
        "half-close": [HalfClose()],
        "await end": [AwaitEnd(), HalfClose()],
        "reset": [AwaitBytes(other_bytes), Reset()],
    }
    return [*steps, *last[end]]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=chunks, answered=chunks, ends=st.sampled_from(ENDS))
def test_any_bytes_in_any_chunks_with_any_end_pass_unchanged(
    asked: list[bytes], answered: list[bytes], ends: Ends, rig: Rig
) -> None:
    n_asked, n_answered = len(b"".join(asked)), len(b"".join(answered))
    seen = check(rig, scripted(asked, ends.client, n_answered), scripted(answered, ends.server, n_asked))

    assert (b"".join(asked), b"".join(answered)) == (seen.server_received, seen.client_received)
