"""Knows how fast one engine steps and what it holds; refuses to know which requests it serves.

    T = alpha + b beta + gamma C + max(0, p delta - hidden) + r rho

of a step with b requests that decode, C tokens which those hold, p prompt tokens of the step's chunks, and r requests
that get their first token in it. `hidden` is prompt work that costs no time, since the arithmetic waits for the weights
to be read anyway: 0 adds the parts up, alpha lets the longer one count. rho is what a request costs whatever its length
where the steps have to wait for it: an API process on the core of the engine, that reads, tokenises and opens a stream.
What they do not wait for comes before: a request joins the queue `front_s` after it has come.

Error: the attention of a prompt to itself is linear here; with a 70B model and 8,000 tokens that leaves out 7 %.

Source: spec/scaling.md 5, 7; vLLM, vllm/v1/core/sched/scheduler.py and vllm/config/scheduler.py (names and limits).
"""

from dataclasses import dataclass, replace

BLOCK_TOKENS = 16
"""Tokens of a KV block, vLLM's `--block-size`."""
SEQS_MAX = 65_536
"""Largest batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One engine as it is started.

    Attributes:
        alpha_s: Time of a step without requests.
        beta_s: Added by each request that decodes.
        gamma_s: Added by each token that such a request holds.
        prefill_s: Added by each prompt token.
        hidden_s: Prompt work of a step that takes no time of its own.
        request_s: Added by each request that gets its first token.
        front_s: From when a request comes until the queue has it, which no step waits for.
        kv_blocks: Blocks of the KV cache, vLLM's `num_gpu_blocks`.
        seqs_max: Requests in a batch, vLLM's `--max-num-seqs`.
        batched_tokens_max: Tokens of a step, vLLM's `--max-num-batched-tokens`; at least `seqs_max`.
        block_tokens: Tokens of a block.
    """

    alpha_s: float
    beta_s: float
    gamma_s: float
    prefill_s: float
    hidden_s: float = 0.0
    request_s: float = 0.0
    front_s: float = 0.0
    kv_blocks: int
    seqs_max: int = 256
    batched_tokens_max: int = 8192
    block_tokens: int = BLOCK_TOKENS

    def __post_init__(self) -> None:
        """Refuse an engine that could not step."""
        others_s = (self.beta_s, self.gamma_s, self.prefill_s, self.hidden_s, self.request_s, self.front_s)
        if self.alpha_s <= 0 or min(others_s) < 0:
            raise ValueError("found a step that takes no time, allowed: alpha_s above 0, the others from 0")
        if not 1 <= self.seqs_max <= min(self.batched_tokens_max, SEQS_MAX):
            raise ValueError(
                f"found {self.seqs_max} requests in a batch of {self.batched_tokens_max} tokens, "
                f"allowed 1 to its tokens, at most {SEQS_MAX}"
            )
        if self.kv_blocks < 1 or self.block_tokens < 1:
            raise ValueError(f"found {self.kv_blocks} blocks of {self.block_tokens} tokens, allowed 1 or more")

    @property
    def kv_tokens(self) -> int:
        """Tokens that the KV cache holds."""
        return self.kv_blocks * self.block_tokens

    @property
    def prefill_tokens_per_s(self) -> float:
        """Speed of reading prompts, V_P; without end where they take no time."""
        return 1 / self.prefill_s if self.prefill_s else float("inf")

    def step_s(self, batch: float, context: float = 0.0, prompt_tokens: float = 0.0, requests: float = 0.0) -> float:
        """Return the time of a step.

        Args:
            batch: Requests that decode.
            context: Mean tokens that each of them holds.
            prompt_tokens: Of the step's chunks.
            requests: That get their first token.
        """
        decode_s = self.alpha_s + batch * (self.beta_s + self.gamma_s * context) + requests * self.request_s
        return decode_s + max(0.0, prompt_tokens * self.prefill_s - self.hidden_s)

    def slowed(self, factor: float) -> "Engine":
        """Return the same engine with every step so many times as long; 1.25 is a quarter slower."""
        return replace(
            self,
            alpha_s=self.alpha_s * factor,
            beta_s=self.beta_s * factor,
            gamma_s=self.gamma_s * factor,
            prefill_s=self.prefill_s * factor,
            hidden_s=self.hidden_s * factor,
            request_s=self.request_s * factor,
            front_s=self.front_s * factor,
        )
