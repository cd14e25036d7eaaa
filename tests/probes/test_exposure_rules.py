"""Which paths are asked how, and what each engine's key guards."""

import pytest

from probes.exposure_rules import CHANGE, CONTROL, KEY_CHECKS, READ, SHORT, WITNESSES, Severity, paths, short

# spec/reliability.md 15, with `/update_weights*` written out.
READ_ONLY = {
    *("/docs", "/openapi.json", "/metrics", "/version", "/load", "/server_info", "/get_model_info", "/is_paused"),
    *("/is_sleeping", "/weight_info", "/get_world_size", "/tokenizer_info", "/slots"),
}
STATE_CHANGING = {
    *("/pause", "/resume", "/abort_requests", "/sleep", "/wake_up", "/release_kv_cache_memory", "/update_weights"),
    *("/update_weights_from_disk", "/start_weight_update", "/init_weight_transfer_engine", "/collective_rpc"),
    *("/reset_prefix_cache", "/start_profile", "/flush_cache", "/tokenize", "/detokenize", "/invocations"),
    "/v1/load_lora_adapter",
}


def test_a_path_is_read_or_changed_and_never_both() -> None:
    read, change = ({path.path for path in listed} for listed in (READ, CHANGE))

    assert (len(read), len(change)) == (len(READ), len(CHANGE))
    assert read & change == set()
    assert CONTROL not in read | change
    assert read >= READ_ONLY
    assert read - READ_ONLY == {"/v1/models"}  # asked by detection too
    assert change >= STATE_CHANGING
    assert read >= WITNESSES


def test_what_acts_on_a_get_is_never_asked_by_get() -> None:
    acting = {path.path for path in (*READ, *CHANGE) if path.by_get}

    assert acting == {
        *("/start_profile", "/flush_cache", "/release_memory_occupation", "/configure_logging", "/terminate")
    }
    assert acting <= {path.path for path in CHANGE}
    assert not {path.path for path in READ if path.severity is Severity.HIGH}


@pytest.mark.parametrize("engine", ["", "someone", "trt-llm"])
def test_metrics_is_asked_for_only_where_it_is_known_to_remove_nothing(engine: str) -> None:
    assert ("GET", "/metrics") not in {(method, path.path) for method, path in paths(engine)}
    assert ("GET", "/metrics") in {(method, path.path) for method, path in paths("vllm")}


@pytest.mark.parametrize("engine", ["", *KEY_CHECKS])
def test_every_engine_is_asked_by_two_methods_and_for_what_it_may_have(engine: str) -> None:
    asked = list(paths(engine))

    assert {method for method, _ in asked} == {"GET", "OPTIONS"}
    assert {path.path for method, path in asked if method == "OPTIONS"} >= STATE_CHANGING
    assert all(not path.engines or engine in path.engines for _, path in asked if engine)
    assert ("/terminate" in {path.path for _, path in asked}) == (engine in {"", "lmdeploy"})


@pytest.mark.parametrize(
    ("engine", "path", "guarded"),
    [
        ("vllm", "/v1/load_lora_adapter", True),
        ("vllm", "/inference/v1/abort_requests", True),
        ("vllm", "/pause", False),
        ("vllm", "/invocations", False),
        ("sglang", "/flush_cache", True),
        ("sglang", "/metrics", False),
        ("lmdeploy", "/terminate", True),
        ("trt-llm", "/update_weights", False),
        ("llama.cpp", "/slots", True),
        ("llama.cpp", "/v1/models", False),
        ("llama.cpp", "/v1/models/x", True),
        ("ollama", "/api/delete", False),
    ],
)
def test_a_key_guards_what_the_engine_s_code_says(engine: str, path: str, guarded: bool) -> None:
    assert guarded is KEY_CHECKS[engine].guards(path)


@pytest.mark.parametrize("engine", ["", "llama.cpp", *SHORT])
def test_a_short_look_asks_for_known_high_paths_within_its_seconds(engine: str) -> None:
    asked = [path for method, path in short(engine) if method == "OPTIONS"]

    assert {path.severity for path in asked} == {Severity.HIGH}
    assert {path.path for path in asked} >= set(SHORT.get(engine, ()))
    assert len(list(short(engine))) <= 6
