"""Knows what the headers of a request say of its place in something larger; refuses to keep any value.

A workflow's or batch job's name is a text of the client's, so only its keyed hash is kept: with the same key, tees of
several endpoints give a flow one number. The key is not changed from day to day, for a flow that is under way at that
instant would fall apart.

Source: spec/slo.md 2 (`flow_id`, class by a header); spec/reliability.md 11 (keyed hashes); `x-stainless-retry-count`
is what the SDKs of OpenAI and Anthropic send: 0 for a first attempt.
"""

from collector.http_heads import Headers, header
from collector.rows import Seen
from telemetry.ids import flow_id

WORKLOAD_CLASSES = frozenset({"workflow", "endpoint", "batch"})
"""Classes that a header may name; another word is not believed."""
ATTEMPT_MAX = 255
"""Largest attempt that the column holds."""
_RETRIES = b"x-stainless-retry-count"


class FlowHeaders:
    """Reads the headers that were configured.

    Args:
        workflow: Header that names the workflow or batch job; empty if none does.
        key: Of the hash.
        workload_class: Header that names the class of the workload; empty if none does.
    """

    def __init__(self, workflow: str = "", key: bytes = b"", workload_class: str = "") -> None:
        self._workflow = workflow.lower().encode()
        self._key = key
        self._class = workload_class.lower().encode()

    def read(self, headers: Headers, seen: Seen) -> None:
        """Take what the headers of one request say."""
        if self._workflow and (name := header(headers, self._workflow)):
            seen.flow_id = flow_id(self._key, name)
        if self._class and (word := header(headers, self._class)):
            named = word.lower().decode("latin-1")
            seen.workload_class = named if named in WORKLOAD_CLASSES else ""
        retries = header(headers, _RETRIES)
        if retries is not None and retries.isdigit():
            seen.attempt = min(1 + int(retries[:4]), ATTEMPT_MAX)


NO_HEADERS = FlowHeaders()
"""Nothing was configured."""
