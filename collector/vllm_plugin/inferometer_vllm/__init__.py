"""Tells inferometer of every request that this vLLM finishes, and is never the reason that one fails."""
