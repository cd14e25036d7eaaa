"""Knows how KEDA's external scaler is served over gRPC; refuses to know what it is answered.

It needs grpcio, which is no part of the core: whoever starts it imports this module only then. A stream says whether a
target is active at once and whenever that changes; where nothing is known it ends as UNAVAILABLE, and KEDA comes again
after 2 to 60 s, leaving the target as it is. StreamMetricSpec is not there: UNIMPLEMENTED makes KEDA ask instead.

Source: kedacore/keda pkg/scalers/externalscaler/externalscaler.proto, pkg/scalers/external_scaler.go; grpc.aio
(generic handlers, `maximum_concurrent_rpcs`); spec/scaling.md 3, 4.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import grpc
from grpc import aio

from slo.scaling.faces import external_scaler
from slo.scaling.faces.external_scaler import SERVICE, Code, ObjectRef, ScalerError
from slo.scaling.served import HintDesk

RPCS_MAX = 256
"""Questions and streams at once; each ScaledObject of type external-push holds one stream."""
MESSAGE_BYTES_MAX = 64 << 10
"""Longest question."""
LOOK_S = 1.0
"""Time between two looks of a stream."""
_GRACE_S = 2.0

T = TypeVar("T")

_Context = aio.ServicerContext[bytes, bytes]


class KedaServer:
    """Serves one desk.

    Args:
        desk: Where hints lie.
        now_s: Reads the wall clock, unix seconds.
        look_s: Time between two looks of a stream.
    """

    def __init__(self, desk: HintDesk, now_s: Callable[[], float], look_s: float = LOOK_S) -> None:
        self._desk, self._now_s, self._look_s = desk, now_s, look_s
        self._server = aio.server(
            maximum_concurrent_rpcs=RPCS_MAX,
            options=[("grpc.max_receive_message_length", MESSAGE_BYTES_MAX), ("grpc.so_reuseport", 0)],
        )
        unary: dict[str, Callable[[bytes, _Context], Any]] = {
            "IsActive": self._is_active,
            "GetMetricSpec": self._metric_specs,
            "GetMetrics": self._metric_values,
        }
        handlers: dict[str, Any] = {name: grpc.unary_unary_rpc_method_handler(of) for name, of in unary.items()}
        handlers["StreamIsActive"] = grpc.unary_stream_rpc_method_handler(self._stream_is_active)
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))

    async def start(self, address: str) -> int:
        """Begin to serve; returns the port.

        Args:
            address: HOST:PORT; port 0 takes a free one.

        Raises:
            OSError: The address cannot be taken.
        """
        try:
            port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(f"{address} cannot be taken") from error
        await self._server.start()
        return port

    async def stop(self) -> None:
        """End; streams are told."""
        await self._server.stop(_GRACE_S)

    async def _is_active(self, request: bytes, context: _Context) -> bytes:
        ref = await _read(external_scaler.object_ref, request, context)
        return external_scaler.active_answer(await self._active(ref, context))

    async def _metric_specs(self, request: bytes, context: _Context) -> bytes:
        ref = await _read(external_scaler.object_ref, request, context)
        return await _told(lambda: external_scaler.metric_specs(self._desk, ref), context)

    async def _metric_values(self, request: bytes, context: _Context) -> bytes:
        ref, metric = await _read(external_scaler.metrics_request, request, context)
        return await _told(lambda: external_scaler.metric_values(self._desk, self._now_s(), ref, metric), context)

    async def _stream_is_active(self, request: bytes, context: _Context) -> AsyncIterator[bytes]:
        ref = await _read(external_scaler.object_ref, request, context)
        said: bool | None = None
        while True:
            active = await self._active(ref, context)
            if active is not said:
                said = active
                yield external_scaler.active_answer(active)
            await asyncio.sleep(self._look_s)

    async def _active(self, ref: ObjectRef, context: _Context) -> bool:
        return await _told(lambda: external_scaler.is_active(self._desk, self._now_s(), ref), context)


async def _read(read: Callable[[bytes], T], request: bytes, context: _Context) -> T:
    try:
        return read(request)
    except ValueError as error:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"the message cannot be read: {error}")


async def _told(tell: Callable[[], T], context: _Context) -> T:
    try:
        return tell()
    except ScalerError as error:
        await context.abort(_STATUSES[error.code], error.detail)


_STATUSES = {code: grpc.StatusCode[code] for code in Code}
