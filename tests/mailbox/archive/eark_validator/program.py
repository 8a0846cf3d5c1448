"""Judges E-ARK packages with PyPI's eark-validator: what it finds as JSON, a line for each package.

It runs in the validator's own environment. The validator fetches vocabularies from the specifications' site,
though it brings copies of them. The copies are read instead, so that tests need no network.
"""

import json
import sys
import urllib.request
from importlib.resources import files
from pathlib import Path


def stored_vocabulary(address):
    return (files("eark_validator.ipxml.resources.vocabs") / address.rpartition("/")[2]).open("rb")


urllib.request.urlopen = stored_vocabulary

from eark_validator.mets import MetsValidator  # noqa: E402
from eark_validator.packages import PackageValidator  # noqa: E402
from eark_validator.specifications.specification import SpecificationVersion  # noqa: E402


def errors(results):
    return [
        {"rule": result.rule_id, "location": result.location, "message": result.message}
        for result in results
        if result.severity.name == "ERROR"
    ]


def judged(folder):
    """What the validator says of a package's structure, of its METS documents by their schema, and of the
    rules of CSIP and SIP 2.1.0."""
    report = PackageValidator(folder, SpecificationVersion.V2_1_0).validation_report
    representation = MetsValidator(str(folder))
    representation.validate_mets("representations/original/METS.xml")
    return {
        "structure": report.structure.status.value,
        "kind": report.package.details.oaispackagetype if report.package else None,
        "schema": report.metadata.schema_results.status.value if report.metadata else None,
        "rules": errors(report.metadata.schematron_results.messages) if report.metadata else None,
        "representation": errors(representation.validation_errors),
    }


for argument in sys.argv[1:]:
    sys.stdout.write(json.dumps(judged(Path(argument))) + "\n")
