"""Knows the fixed names, ports and bounds of the command line; refuses to know where they are used.

Source: design.md, "Names that are fixed"; spec/reliability.md 4.1.
"""

EXIT_GATE_FAILED = 3
EXIT_INTERRUPTED = 130
LOOPBACK = "127.0.0.1"
TEE_PORT = 8100
SERVE_PORT = 8200
STORE_PORT = 8300
BACKLOG = 4096
"""Connections that the kernel holds while a tee restarts."""
WORKERS_MAX = 64
"""Most tee workers of one supervisor."""
PORT_TRIES_MAX = 64
"""Ports that `--port auto` tries, one after another, before it gives up."""
CONNECTIONS_MAX = 10_000
"""Connections that a tee is built for; each needs two descriptors, and the check asks for three."""
DESCRIPTORS_WANTED = 3 * CONNECTIONS_MAX
DRAIN_S_MAX = 600.0
"""Longest time that a stopping tee waits for its streams."""
SPOOL_BYTES_MAX = 4 << 30
"""Quota of the spool (spec/store.md 11.5)."""
SPOOL_BYTES_MIN = 64 << 20
"""Least quota: the spool keeps four segments of 16 MiB whatever happens."""
ENGINE_INTERVAL_S = 5.0
GPU_INTERVAL_S = 1.0
REPORT_SINCE = "10m"
TOP_WINDOW_S = 60
TARGET_PORTS = (8000, 30000, 8080, 23333, 11434)
"""Where `up` without a target looks: vLLM, SGLang, llama.cpp, LMDeploy, Ollama."""
