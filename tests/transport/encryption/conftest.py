import pytest

from tests.world import federation, world  # noqa: F401 - fixtures


@pytest.fixture(autouse=True)
def _files_of_its_own(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "payloads"
