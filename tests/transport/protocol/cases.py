"""Small files in ../shared/cases that came from elsewhere; what is right of each stands in their README."""

import pytest


def case(shared, name: str):
    path = shared / "cases" / name
    if not path.is_file():
        pytest.skip(f"{path} is not here: it comes with the specifications, beside the repository")
    return path
