"""Knows Locust's runner, the home of that library's types: messages between master and workers, who is there, the end.

Refuses to know what the messages mean. Locust has one class of runner per role, and one that is both; whoever leads or
follows a run need not know which it has.

Source: Locust 2.47 runners.py (register_message, send_message, WorkerNodes, worker states), env.py (process_exit_code).
"""

from collections.abc import Callable
from typing import Any, cast

from locust.runners import STATE_MISSING, LocalRunner, MasterRunner, WorkerRunner

Message = dict[str, Any]
"""What travels: plain values by name."""


class Post:
    """The runner of one process.

    Attributes:
        leads: This process leads the run.
        follows: This process carries out a part of it.
    """

    def __init__(self, environment: object) -> None:
        """Take the runner of a Locust environment."""
        self._environment = cast("Any", environment)
        self._runner: Any = self._environment.runner
        self.leads = isinstance(self._runner, MasterRunner | LocalRunner)
        self.follows = isinstance(self._runner, WorkerRunner | LocalRunner)

    def register(self, name: str, listener: Callable[[Message], object]) -> None:
        """Call a function with each message of a name."""

        def call(*, environment: object, msg: object) -> None:
            del environment
            listener(cast("Message", cast("Any", msg).data))

        self._runner.register_message(name, call)

    def send(self, name: str, message: Message, to: str | None = None) -> None:
        """Send a message: to a worker from the master, to the master from a worker."""
        self._runner.send_message(name, message, client_id=to)

    def workers(self) -> list[str]:
        """Return the workers that are there, whatever they do, in an order that stays."""
        if isinstance(self._runner, LocalRunner):
            return ["local"]
        return sorted(str(client.id) for client in self._runner.clients.all if client.state != STATE_MISSING)

    def is_lost(self, worker: str) -> bool:
        """Return whether a worker is no longer there."""
        if isinstance(self._runner, LocalRunner):
            return False
        node = self._runner.clients.get(worker)
        return node is None or node.state == STATE_MISSING

    @property
    def users(self) -> int:
        """Plan users of this process."""
        return int(self._runner.user_count)

    def show(self, *, name: str, ms: float, size: int, fault: str | None) -> None:
        """Show a figure to Locust's statistics."""
        self._environment.events.request.fire(
            request_type="load", name=name, response_time=ms, response_length=size, exception=fault, context={}
        )

    def end(self, code: int) -> None:
        """Set the exit code and end: the whole process, or only the test where Locust's web page is served."""
        self._environment.process_exit_code = code
        if self._environment.web_ui is None:
            self._runner.quit()
        else:
            self._runner.stop()

    def quit(self) -> None:
        """End the process."""
        self._runner.quit()
