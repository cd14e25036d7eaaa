"""Knows what vLLM calls, and hands the finished requests on; refuses to raise, to wait, and to guess a new interface.

vLLM calls `record` once per engine iteration in the event loop of its API server, and an exception there ends the
server. So nothing leaves a method of this class, and a version of vLLM that it was not tested with gets one line in the
log and a logger that does nothing.

vLLM itself makes one object per engine and API server, and each sees the requests of its own.

Source: vLLM 0.32, v1/metrics/loggers.py (StatLoggerBase, PerEngineStatLoggerAdapter), v1/engine/async_llm.py.
"""

import logging
import os
from typing import TYPE_CHECKING

from vllm.v1.metrics.loggers import StatLoggerBase
from vllm.version import __version__ as vllm_version

from inferometer_vllm.datagrams import Source, datagrams
from inferometer_vllm.sender import Sender

if TYPE_CHECKING:
    from vllm.config import VllmConfig
    from vllm.v1.metrics.stats import IterationStats

SUPPORTED = ("0.32",)
"""Versions of vLLM whose classes this was tested with."""
SOCKET_VARIABLE = "INFEROMETER_TEE__PLUGIN_SOCKET"
"""Names the socket of the receiver; the same variable sets it there."""

_log = logging.getLogger("vllm.inferometer")  # below vLLM's own, so that its handlers and levels apply


class StatLogger(StatLoggerBase):
    """Sends the finished requests of one engine.

    Args:
        vllm_config: Of the engine; the model's name is read.
        engine_index: Among the data-parallel engines.
    """

    def __init__(self, vllm_config: "VllmConfig", engine_index: int = 0, *_: object, **__: object) -> None:
        self._has_failed = False
        self._sender: Sender | None = None
        try:
            self._start(vllm_config, engine_index)
        except Exception as error:  # noqa: BLE001 -- the engine goes on
            _log.warning("inferometer: no rows from this engine: %r", error)

    def record(
        self,
        scheduler_stats: object = None,  # noqa: ARG002 -- vLLM's names
        iteration_stats: "IterationStats | None" = None,
        mm_cache_stats: object = None,  # noqa: ARG002 -- likewise
        engine_idx: int = 0,  # noqa: ARG002 -- one object per engine: it is known
        *_: object,
        **__: object,
    ) -> None:
        """Take the figures of one iteration."""
        sender = self._sender
        if sender is None:
            return
        try:
            if iteration_stats is not None and iteration_stats.finished_requests:
                self._send(sender, iteration_stats)
            if sender.waiting_bytes:
                sender.flush()
        except Exception as error:  # noqa: BLE001 -- raised on, it would end vLLM's API server
            self._fail(error)

    def log(self, *_: object, **__: object) -> None:
        """Send what still waits.

        vLLM calls this every ten seconds, also when it is idle, but not under `--disable-log-stats`.
        """
        self.record()

    def log_engine_initialized(self, *_: object, **__: object) -> None:
        """Do nothing; there is nothing to say of an engine that has not served yet."""

    def _start(self, vllm_config: "VllmConfig", engine_index: int) -> None:
        path = os.environ.get(SOCKET_VARIABLE, "")
        version = ".".join(vllm_version.split(".")[:2])
        if version not in SUPPORTED:
            _log.warning("inferometer: vLLM %s is not among %s: no rows from this engine", version, SUPPORTED)
        elif not path:
            _log.warning("inferometer: %s is not set: no rows from this engine", SOCKET_VARIABLE)
        else:
            model = str(vllm_config.model_config.served_model_name)
            self._source = Source(pid=os.getpid(), engine=engine_index, model=model)
            self._sender = Sender(path)
            _log.info("inferometer: rows of engine %d go to %s", engine_index, path)

    def _send(self, sender: Sender, stats: "IterationStats") -> None:
        finished, at_unix_s = stats.finished_requests, stats.iteration_timestamp
        left = len(finished)
        try:
            for datagram, rows in datagrams(finished, self._source, at_unix_s=at_unix_s, dropped=sender.dropped):
                sender.send(datagram, rows)
                left -= rows
        finally:
            sender.dropped += left

    def _fail(self, error: Exception) -> None:
        if not self._has_failed:
            self._has_failed = True
            _log.warning("inferometer: rows cannot be sent; they are counted, and this is said once: %r", error)


# A later vLLM may ask for methods that are unknown here; being abstract, they would keep the engine from starting.
StatLogger.__abstractmethods__ = frozenset()
