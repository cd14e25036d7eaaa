"""Knows nothing but the plan user: Locust loads this file, and `loadtest.harness` does the rest.

    locust -f loadtest/locustfile.py --load-run RUN.json --headless --processes 2 -u 2 -r 2

One user per worker carries out that worker's part of the plan; `inferometer load run` starts exactly this.

Source: spec/loadtest.md 3; Locust 2.47 (User, task, events).
"""

from locust import User, task

from loadtest import harness

harness.listen()


class PlanUser(User):
    """Carries out this worker's part of the plan, once.

    It has no `fixed_count`: that would be one user in total, and with two workers half of the load would be missing.
    """

    @task
    def carry_out(self) -> None:
        """Wait for the go, send, drain, and stay until Locust stops the user."""
        harness.carry_out(self.environment)  # pyright: ignore[reportUnknownArgumentType] # Locust does not say
