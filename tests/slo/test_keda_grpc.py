"""The external scaler over a real gRPC connection, asked as KEDA asks (pkg/scalers/external_scaler.go at 067b4c60)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import grpc
import msgspec
import pytest
from face_rig import HINTS, LIVES_S, NAME, NOW_S, Desk, desk, served
from grpc import aio
from scaling_rig import T0

from slo.keda_grpc import LOOK_S, MESSAGE_BYTES_MAX, RPCS_MAX, KedaServer
from slo.scaling.faces.external_metrics import DESIRED
from slo.scaling.faces.external_scaler import ObjectRef, active_answer, metric_specs, metric_values
from slo.scaling.freshness import Standing
from telemetry.protobuf import message, text

PATH = "/externalscaler.ExternalScaler/"
ACTIVE, INACTIVE = active_answer(True), active_answer(False)


def ref(**metadata: str) -> bytes:
    pairs = b"".join(message(3, text(1, key) + text(2, value)) for key, value in metadata.items())
    return text(1, "chat") + text(2, "prod") + pairs


REF = ref(scalerAddress="127.0.0.1:1", target=NAME)


@dataclass(slots=True, kw_only=True)
class Served:
    """A server on a free port, and the desk and the clock behind it."""

    desk: Desk = field(default_factory=lambda: desk(Standing.FRESH)[0])
    now_s: float = NOW_S
    channel: aio.Channel

    async def ask(self, method: str, request: bytes = REF) -> bytes:
        call: aio.UnaryUnaryMultiCallable[bytes, bytes] = self.channel.unary_unary(PATH + method)
        return await call(request, timeout=10)

    def stream(self, method: str = "StreamIsActive", request: bytes = REF) -> AsyncIterator[bytes]:
        call: aio.UnaryStreamMultiCallable[bytes, bytes] = self.channel.unary_stream(PATH + method)
        return aiter(call(request, timeout=10))


@pytest.fixture
async def asked() -> AsyncIterator[Served]:
    async with aio.insecure_channel("127.0.0.1:1") as nowhere:
        here = Served(channel=nowhere)
        server = KedaServer(here.desk, lambda: here.now_s, look_s=0.01)
        port = await server.start("127.0.0.1:0")
        async with aio.insecure_channel(f"127.0.0.1:{port}") as here.channel:
            yield here
        await server.stop()


async def refusal(awaited: object) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(aio.AioRpcError) as caught:
        await awaited  # type: ignore[misc]  # whatever is awaited
    return caught.value.code(), caught.value.details() or ""


async def test_keda_gets_a_metric_its_value_and_whether_the_target_is_active(asked: Served) -> None:
    request = message(1, REF) + text(2, DESIRED)
    of = ObjectRef(metadata={"target": NAME})

    assert metric_specs(asked.desk, of) == await asked.ask("GetMetricSpec")
    assert metric_values(asked.desk, NOW_S, of, DESIRED) == await asked.ask("GetMetrics", request)
    assert ACTIVE == await asked.ask("IsActive")


async def test_keda_reads_unimplemented_and_asks_instead(asked: Served) -> None:
    code, _ = await refusal(anext(asked.stream("StreamMetricSpec")))

    assert grpc.StatusCode.UNIMPLEMENTED is code


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(ref(), (grpc.StatusCode.INVALID_ARGUMENT, "metadata.target"), id="no target"),
        pytest.param(b"\xff", (grpc.StatusCode.INVALID_ARGUMENT, "cannot be read"), id="no message"),
        pytest.param(ref(target="b"), (grpc.StatusCode.NOT_FOUND, "there is no target 'b'"), id="an unknown target"),
    ],
)
async def test_what_is_wrong_is_a_status(asked: Served, request_: bytes, expected: tuple[grpc.StatusCode, str]) -> None:
    code, details = await refusal(asked.ask("IsActive", request_))

    assert expected[0] is code
    assert expected[1] in details


async def test_a_stream_says_what_is_now_and_then_only_what_changes(asked: Served) -> None:
    stream = asked.stream()
    first = await anext(stream)
    fresh = HINTS[Standing.FRESH]
    empty = msgspec.structs.replace(fresh, replicas=msgspec.structs.replace(fresh.replicas, desired=0))
    asked.desk.hints[NAME] = served(empty)
    second = await anext(stream)
    asked.desk.hints[NAME] = served(fresh)

    assert (ACTIVE, INACTIVE, ACTIVE) == (first, second, await anext(stream))


async def test_a_stream_ends_as_unavailable_when_nothing_is_known_any_more(asked: Served) -> None:
    stream = asked.stream()
    first = await anext(stream)
    asked.desk.is_reached, asked.now_s = False, T0 + LIVES_S
    code, _ = await refusal(anext(stream))

    assert (ACTIVE, grpc.StatusCode.UNAVAILABLE) == (first, code)
    assert grpc.StatusCode.UNAVAILABLE is (await refusal(anext(asked.stream())))[0]


async def test_there_are_so_many_streams_and_no_more(asked: Served) -> None:
    streams = [asked.stream() for _ in range(RPCS_MAX)]
    assert {ACTIVE} == set(await asyncio.gather(*map(anext, streams)))

    assert grpc.StatusCode.RESOURCE_EXHAUSTED is (await refusal(asked.ask("IsActive")))[0]


async def test_a_question_has_an_end(asked: Served) -> None:
    code, _ = await refusal(asked.ask("IsActive", ref(target="x" * MESSAGE_BYTES_MAX)))

    assert (grpc.StatusCode.RESOURCE_EXHAUSTED, 1.0) == (code, LOOK_S)


async def test_an_address_that_is_taken_is_refused(asked: Served) -> None:
    one, other = KedaServer(asked.desk, lambda: NOW_S), KedaServer(asked.desk, lambda: NOW_S)
    taken = await one.start("127.0.0.1:0")

    with pytest.raises(OSError, match="cannot be taken"):
        await other.start(f"127.0.0.1:{taken}")
    await one.stop()
