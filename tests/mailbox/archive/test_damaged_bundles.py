"""Whatever has become of a bundle, its check tells what is wrong with it."""

import hashlib
import io
import json
import random
import warnings
import zipfile

import pytest

from mailbox.archive import check_bundle
from mailbox.archive.conversation_record import FORMAT


def a_bundle(compression: int) -> bytes:
    """An archive that is listed well; its messages have no evidence."""
    files = {
        "metadata.json": json.dumps({"messages": []}).encode(),
        "metadata.xml": b"<record/>" * 50,
        "conversation.pdf": b"%PDF-1.7 " * 50,
    }
    listed = [
        {"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for path, data in files.items()
    ]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
        archive.writestr("manifest.json", json.dumps({"format": FORMAT, "files": listed}))
    return out.getvalue()


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_damaged_bundle_has_faults_and_ends_in_no_error(compression):
    sound = a_bundle(compression)
    assert check_bundle(io.BytesIO(sound)) == []
    chance = random.Random(20261129)
    for _ in range(1500):
        damaged = bytearray(sound)
        for _ in range(chance.choice((1, 1, 2, 8))):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        assert isinstance(check_bundle(io.BytesIO(damaged)), list)


def test_a_name_that_stands_many_times_is_told_once():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(1000):
            archive.writestr("a", b"")
    found = [(fault.path, fault.code) for fault in check_bundle(out)]
    assert found.count(("a", "twice")) == 1
