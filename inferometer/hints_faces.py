"""Knows where hints are told beside the API: on the page of metrics and over gRPC; refuses to know what they say.

gRPC is the extra `keda` and starts only where an address is configured. The page of metrics is the observer's, with the
hints, and what else is known beside it, added in the form that it has; without an observer it has these alone.

Source: spec/scaling.md 3, 4; spec/reliability.md 10 (binds), 13 (names that Host may carry).
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any

from inferometer.config_schema import Serve
from inferometer.errors import ConfigurationError, UnreachableError
from inferometer.listen import refuse_open_bind
from slo.scaling.faces.moment import moment
from slo.scaling.faces.prometheus import Gauge, gauges, joined
from slo.scaling.served import HintDesk

TEXT = "text/plain; version=0.0.4; charset=utf-8"
"""Form of a page of our own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faces:
    """What is served beside.

    Attributes:
        names: Further values of Host that the API goes by.
        keda_grpc: HOST:PORT of KEDA's external scaler; empty: it is not served.
        wva_alias: Whether desired replicas have the name that KServe reads, too.
    """

    names: tuple[str, ...] = ()
    keda_grpc: str = ""
    wva_alias: bool = False


def faces(keys: Serve, *, insecure_bind: bool = False) -> Faces:
    """Return what is configured.

    Raises:
        ConfigurationError: The address is open to others, or the extra is not installed.
    """
    address = keys.keda_grpc or ""
    if address:
        refuse_open_bind(address.rpartition(":")[0].strip("[]"), "serve.keda_grpc", insecure=insecure_bind)
        if find_spec("grpc") is None:
            raise ConfigurationError("serve.keda_grpc: needs gRPC: pip install 'inferometer[keda]'")
    return Faces(names=keys.names, keda_grpc=address, wva_alias=keys.wva_alias)


def told(keys: Serve) -> dict[str, Any]:
    """Return what is configured, and was checked, as another process is handed it."""
    return asdict(faces(keys, insecure_bind=True))


class HintPage:
    """The hints on the page of metrics, and what else is known beside it.

    Args:
        desk: Where hints lie.
        now_s: Reads the wall clock, unix seconds.
        alias: Whether desired replicas have the name that KServe reads, too.
        beside: Returns what else there is now.
    """

    def __init__(
        self,
        desk: HintDesk,
        now_s: Callable[[], float],
        *,
        alias: bool,
        beside: Callable[[], Sequence[Gauge]] = tuple,
    ) -> None:
        self._desk, self._now_s, self._alias, self._beside = desk, now_s, alias, beside

    def __bool__(self) -> bool:
        """Say whether there is any target, or anything else."""
        return bool(self._desk.names() or self._beside())

    def added(self, page: bytes, content_type: str) -> bytes:
        """Return a page with the hints of this moment, and what else there is, added to it."""
        now_s = self._now_s()
        targets = [moment(self._desk, name, now_s) for name in self._desk.names()]
        return joined(page, content_type, [*gauges(targets, now_s, alias=self._alias), *self._beside()])


@asynccontextmanager
async def keda(address: str, desk: HintDesk, now_s: Callable[[], float]) -> AsyncGenerator[int | None]:
    """Serve KEDA's external scaler meanwhile; yields its port, None without an address.

    Raises:
        UnreachableError: The address cannot be taken.
    """
    if not address:
        yield None
        return
    from slo.keda_grpc import KedaServer  # noqa: PLC0415 -- an extra, which need not be installed

    server = KedaServer(desk, now_s)
    try:
        port = await server.start(address)
    except OSError as error:
        raise UnreachableError(f"serve.keda_grpc: {error}") from None
    try:
        yield port
    finally:
        await server.stop()
