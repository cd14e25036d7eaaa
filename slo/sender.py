"""Knows how one post is made and what came of it; refuses to know what is said and when it is tried again.

The receiver's words are read, so that it sees its answer taken, and forgotten: nothing of them is kept or shown. Once
its status has come the answer stands, whatever becomes of the rest.

Source: spec/slo.md 11 (time-outs, answer <= 4 KiB and never echoed, no redirects); spec/reliability.md 12 (guard).
"""

import asyncio

from slo.channels import ChannelKind, Result, Verdict, judged
from slo.posts import Post
from telemetry.fetch import Answer, Client
from telemetry.fetch_error import FetchError
from telemetry.guard import Policy

POST_BYTES_MAX = 4 << 20
"""Largest body that is sent."""
ANSWER_BYTES_MAX = 4 << 10
"""What is read of an answer."""
TOTAL_S_MAX = 10.0
"""Longest time of one try."""


class Sender:
    """Posts to receivers, each time over a connection of its own.

    Args:
        client: What asks.
        total_s: Longest time of one try.
    """

    def __init__(self, client: Client, total_s: float = TOTAL_S_MAX) -> None:
        self._client, self._total_s = client, total_s

    async def send(self, kind: ChannelKind, post: Post, policy: Policy, now_s: float) -> Verdict:
        """Make one try.

        Args:
            kind: Who is told.
            post: What is told.
            policy: Where it may lead.
            now_s: Unix time.
        """
        if len(post.body) > POST_BYTES_MAX:
            return Verdict(result=Result.REFUSED, why=f"more than {POST_BYTES_MAX} bytes")
        verdict: Verdict | None = None
        try:
            async with (
                asyncio.timeout(self._total_s),
                self._client.stream(
                    "POST",
                    post.url,
                    policy=policy,
                    bytes_max=ANSWER_BYTES_MAX,
                    headers=post.headers,
                    body=post.body,
                ) as answer,
            ):
                verdict = judged(kind, answer.status, _retry_after(answer), now_s)
                while await answer.read() is not None:
                    pass
        except TimeoutError:
            return verdict or Verdict(result=Result.RETRY, why="no answer in time")
        except FetchError as error:
            return verdict or Verdict(result=Result.RETRY, why=str(error))  # it holds nothing of an answer
        return verdict


def _retry_after(answer: Answer) -> str:
    return next((value.decode("latin-1") for name, value in answer.headers if name.lower() == b"retry-after"), "")
