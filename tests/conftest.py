"""What any test may ask for."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The federation's specifications, schemas and examples; skips where they are missing."""
    if not SHARED.is_dir():
        pytest.skip("the federation's files are not at ../shared")
    return SHARED


@pytest.fixture(autouse=True)
def _nothing_remembered():
    """What a process remembers for a while, though the last test's rows are gone."""
    from transport.access_point import log
    from transport.at_rest import keys

    keys.forget()
    log.forget()
