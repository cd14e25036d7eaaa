"""Says when a replica of several is told of: once it was heard, until it has been silent for long."""

from dataclasses import dataclass, field

from engine_server import NOT_FOUND, body

from inferometer.replica_probe import GONE_S, ReplicaProbe
from loadtest.fleet.engine import Engine
from loadtest.fleet.page import Counts, page
from loadtest.fleet.replica import Replica
from probes.aliases import Engine as Kind
from probes.engine_metrics import EngineProbe, Target
from slo.scaling.confidence import TTL_S
from telemetry.fetch import Client
from telemetry.samples import EngineSample
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitToken, ByRequestLine, HalfClose, Send
from telemetry.testing.wire import Script

ENGINE = Engine(alpha_s=0.01, beta_s=0.0, gamma_s=0.0, prefill_s=0.0, kv_blocks=2048)
PAGE = page("m", [(Counts(), ENGINE, Replica(ENGINE).load(0.0))], 1.0)


@dataclass(slots=True)
class Watch:
    """A clock that is set, and what was said."""

    now_s: float = 0.0
    said: list[str] = field(default_factory=list[str])

    def now_ns(self) -> int:
        return round(self.now_s * 1e9)

    def log(self, event: str, **fields: object) -> None:
        del fields
        self.said.append(event)


async def test_a_replica_that_comes_and_goes() -> None:
    told: list[list[int]] = []
    watch = Watch()
    scripts = dict[bytes, Script]()
    default: Script = [AwaitToken(), Send(NOT_FOUND), HalfClose()]
    with Endpoint([ByRequestLine(scripts, default)]) as endpoint:
        url = "http://{}:{}".format(*endpoint.address)
        async with Client() as client:
            target = Target(url=url, endpoint="chat", replica="r", engine=Kind.VLLM)
            probe = ReplicaProbe(EngineProbe(target, client), watch.log, watch.now_ns)

            async def ask(at_s: float, *, is_up: bool) -> None:
                watch.now_s = at_s
                scripts[b"GET /metrics HTTP/1.1"] = body(PAGE) if is_up else default
                told.append([row.up for row in await probe.ask() if isinstance(row, EngineSample)])

            await ask(0.0, is_up=False)
            await ask(1.0, is_up=True)
            await ask(2.0, is_up=False)
            await ask(1.0 + GONE_S, is_up=False)
            await ask(1.1 + GONE_S, is_up=False)
            told.append([row.up for row in probe.failed("too long") if isinstance(row, EngineSample)])

    assert [[], [1], [0], [0], [], []] == told
    assert ["engine_metrics:chat/r: scraped", "engine_metrics:chat/r: gone"] == watch.said
    assert TTL_S == GONE_S
