"""One store with a past for the tests of panels."""

from collections.abc import Iterator

import pytest
from panel_rig import PanelRig, panel_rig


@pytest.fixture(scope="session")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PanelRig]:
    """A store of its own with an hour that is known."""
    with panel_rig(tmp_path_factory.mktemp("panels")) as rig:
        yield rig
