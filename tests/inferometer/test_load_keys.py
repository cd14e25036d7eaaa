import pytest
from pydantic import ValidationError

from inferometer.load_keys import HOSTS_MAX, LoadKeys


def test_only_this_machine_may_be_loaded_unless_someone_wrote_more() -> None:
    assert () == LoadKeys().allowed_targets


@pytest.mark.parametrize(
    "keys",
    [
        {"rate_rps_max": 0},
        {"duration_s_max": 0},
        {"tokens_max": 0},
        {"cost_usd_max": 0},
        {"usd_per_mtok_in": -1},
        {"burn_from": "127.0.0.1:8200"},
        {"allowed_targets": ["h"] * (HOSTS_MAX + 1)},
    ],
)
def test_a_ceiling_has_bounds(keys: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LoadKeys.model_validate(keys)


def test_so_many_hosts_are_allowed() -> None:
    assert HOSTS_MAX == len(LoadKeys(allowed_targets=("h",) * HOSTS_MAX).allowed_targets)


def test_prices_and_the_watch_over_live_objectives_are_off_unless_someone_wrote_more() -> None:
    keys = LoadKeys()

    assert (None, None, None, False, None) == (
        *(keys.cost_usd_max, keys.usd_per_mtok_in, keys.usd_per_mtok_out, keys.abort_on_burn, keys.burn_from),
    )
    assert "http://127.0.0.1:8200" == LoadKeys(burn_from="http://127.0.0.1:8200").burn_from
