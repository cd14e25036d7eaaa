import pytest
from pydantic import ValidationError

from inferometer.load_keys import HOSTS_MAX, LoadKeys


def test_only_this_machine_may_be_loaded_unless_someone_wrote_more() -> None:
    assert () == LoadKeys().allowed_targets


@pytest.mark.parametrize(
    "keys",
    [{"rate_rps_max": 0}, {"duration_s_max": 0}, {"tokens_max": 0}, {"allowed_targets": ["h"] * (HOSTS_MAX + 1)}],
)
def test_a_ceiling_has_bounds(keys: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LoadKeys.model_validate(keys)


def test_so_many_hosts_are_allowed() -> None:
    assert HOSTS_MAX == len(LoadKeys(allowed_targets=("h",) * HOSTS_MAX).allowed_targets)
