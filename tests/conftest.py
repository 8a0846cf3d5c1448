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
def _no_remembered_data_keys():
    """A process remembers for a minute which key seals; the rows of the last test are gone."""
    from transport.at_rest.keys import forget

    forget()
