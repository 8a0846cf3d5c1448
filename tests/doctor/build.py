"""What checks say, as tests read it."""

from collections.abc import Callable, Iterable

from sdkportal.doctor.findings import Finding


def found(check: Callable[[], Iterable[Finding]]) -> list[tuple[str, str]]:
    """Level and code of each finding."""
    return [(finding.level.name, finding.code) for finding in check()]


def problems(check: Callable[[], Iterable[Finding]]) -> list[tuple[str, str]]:
    """Level and code of each finding that is not well."""
    return [each for each in found(check) if each[0] != "OK"]
