"""A real OTLP/HTTP receiver on a socket: takes metrics, decodes them with OpenTelemetry's own messages."""

import gzip
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

WAIT_S = 30.0


class Receiver:
    """What came in."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.status = 200
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.exports: Queue[ExportMetricsServiceRequest] = Queue()

    def metrics(self) -> dict[str, Any]:
        """The metrics of the next export, by name."""
        export = self.exports.get(timeout=WAIT_S)
        ((scope,),) = [resource.scope_metrics for resource in export.resource_metrics]
        return {metric.name: metric for metric in scope.metrics}


@contextmanager
def receiver() -> Generator[Receiver]:
    """Receive until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            found.paths.append(self.path)
            found.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(found.status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            if found.status == 200:
                found.exports.put(ExportMetricsServiceRequest.FromString(body))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 inherited
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Receiver(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def attributes(point: Any) -> dict[str, Any]:  # noqa: ANN401 a class that is made at run time
    """The attributes of a data point."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in point.attributes}
