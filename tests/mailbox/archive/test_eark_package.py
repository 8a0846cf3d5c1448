"""An E-ARK package holds a conversation whole, in a form that a validator of others' accepts."""

import hashlib
import io
import json
import os
import re
import subprocess
import tracemalloc
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.urls import reverse
from lxml import etree

from mailbox import rendering
from mailbox.archive import check_bundle, file_name_of, page, write_package
from mailbox.models import AccessLogEntry, Attachment, Conversation
from mailbox.registration import entries
from tests.interop.program import BUILDS
from tests.mailbox.build import a_member, arrives, log_in
from transport.protocol.sdk_message.message import BytesContent, File

pytestmark = pytest.mark.django_db
PROGRAM = Path(__file__).parent / "eark_validator" / "program.py"
ENVIRONMENT = BUILDS / "eark"
MADE_AT = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
PDF = b"%PDF-1.7 a page that another test draws"
# The same names, names that differ by how letters are composed, long ones, and what leads out of a folder.
ODD_NAMES = (
    "rapport.pdf",
    "rapport.pdf",
    "re\u0301sume\u0301.txt",
    "r\u00e9sum\u00e9.txt",
    "a" + "\u0301" * 500 + ".txt",
    "å" * 300 + ".pdf",
    "\N{GRINNING FACE}" * 200,
    "../../etc/passwd",
    "a/b\\c:d \"<&>'.txt",
    "100 % klart #1?.txt",
    "CON",
    "",
)
NAMES = {
    "mets": "http://www.loc.gov/METS/",
    "xlink": "http://www.w3.org/1999/xlink",
    "premis": "http://www.loc.gov/premis/v3",
    "erms": "https://DILCIS.eu/XML/ERMS",
}
# What eark-validator 1.1.3 holds against every submission package: faults of its own, which docs/decisions.md
# tells of. The number is that of the agent or file group.
FAULTS_OF_THE_VALIDATOR = {
    ("CSIP12", "agent", 3),
    ("CSIP13", "agent", 3),
    ("CSIP16", "agent", 3),
    ("CSIP63", "fileGrp", 1),
    ("CSIP63", "fileGrp", 2),
    ("CSIP63", "fileGrp", 3),
    ("SIP14", "agent", 1),
    ("SIP14", "agent", 3),
}


@pytest.fixture
def drawn(monkeypatch):
    """No page is drawn: that takes a process each, and the record bundle's tests do it."""
    monkeypatch.setattr(page, "as_pdf", lambda html: PDF)


def a_conversation(
    mailbox, *files: File, subject: str = "Planering", is_confidential: bool = False
) -> Conversation:
    message = arrives(mailbox, files=files)
    conversation = message.conversation
    message.subject = conversation.subject = subject
    message.is_confidential = conversation.is_confidential = is_confidential
    message.save()
    conversation.save()
    return conversation


def packed(conversation: Conversation) -> bytes:
    out = io.BytesIO()
    write_package(conversation, out, made_by="Karin Svensson", made_at=MADE_AT)
    return out.getvalue()


def unpacked(data: bytes) -> dict[str, bytes]:
    """The files of the package by their path in its folder."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def packed_anew(data: bytes, changes: dict[str, bytes | None]) -> io.BytesIO:
    """The package with some of its files changed, added, or left out where that is None."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        folder = archive.namelist()[0].partition("/")[0]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in {**unpacked(data), **changes}.items():
            if content is not None:
                archive.writestr(f"{folder}/{name}", content)
    return out


def judged(directory: Path, *packages: bytes) -> list[dict]:
    """What the validator says of each package."""
    wanted = (PROGRAM.parent / "requirements.txt").read_text()
    installed = ENVIRONMENT / "requirements.txt"
    if not installed.exists() or installed.read_text() != wanted:
        if os.environ.get("CI"):
            pytest.fail("`scripts/install eark` makes the environment that judges packages")
        pytest.skip("`scripts/install eark` makes the environment that judges packages")
    folders = []
    for number, data in enumerate(packages):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            archive.extractall(directory / str(number))
        folders += [str(path) for path in (directory / str(number)).iterdir()]
    assert len(folders) == len(packages), "a package is one folder"
    command = [str(ENVIRONMENT / "bin" / "python"), str(PROGRAM), *folders]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    return [json.loads(line) for line in told.stdout.splitlines()]


def place_of(error: dict) -> tuple[str, str, int]:
    """The rule that is broken, and the agent or file group that breaks it."""
    found = re.search(r"local-name\(\)='(agent|fileGrp)'[^\]]*\]\[(\d+)\]", error["location"])
    return (error["rule"], found[1], int(found[2])) if found else (error["rule"], error["message"], 0)


def test_the_validator_accepts_packages_of_every_kind(mailbox, drawn, tmp_path):
    karin = a_member("Karin", mailbox)
    small = a_conversation(mailbox, File("plan.pdf", "application/pdf", BytesContent(PDF)))
    odd = a_conversation(
        mailbox,
        *(File(name or "x", "text/plain", BytesContent(b"abc")) for name in ODD_NAMES),
        subject='Brev \x01\x1f <b>&amp; "citat" ]]> \uffff \N{GRINNING FACE} ' + "å" * 200,
    )
    for name, attachment in zip(
        ODD_NAMES, Attachment.objects.filter(document__message__conversation=odd).order_by("pk"), strict=True
    ):
        attachment.name = name
        attachment.content_type = "text/html\r\nX: y" if name == "CON" else attachment.content_type
        attachment.save()
    without = a_conversation(mailbox, subject="")
    registered = a_conversation(mailbox)
    entries.register(registered.pk, karin, entries.Entry("case", case_number="KS 2026/3118"))
    confidential = a_conversation(mailbox, is_confidential=True)
    packages = [packed(each) for each in (small, odd, without, registered, confidential)]
    for data in packages:
        assert check_bundle(io.BytesIO(data)) == []
    told = judged(tmp_path, *packages)
    for report in told:
        assert (report["structure"], report["kind"], report["schema"]) == ("WellFormed", "SIP", "VALID")
        assert report["representation"] == []
        assert {place_of(error) for error in report["rules"]} == FAULTS_OF_THE_VALIDATOR
    names = [name for name in unpacked(packages[1]) if "/attachments/" in name]
    assert len(names) == len(ODD_NAMES)
    assert all(len(name.encode()) < 190 and ".." not in name for name in names)


def test_the_validator_finds_what_is_wrong(mailbox, drawn, tmp_path):
    """A judge that finds nothing judges nothing."""
    data = packed(a_conversation(mailbox))
    mets = unpacked(data)["METS.xml"]
    spoilt = {
        "CSIP9": mets.replace(b'csip:OAISPACKAGETYPE="SIP"', b""),
        "CSIP60": mets.replace(b'USE="Documentation"', b'USE="Other"'),
        "CSIP4": mets.replace(b"citserms_v2_1", b"citserms_v9"),
    }
    reports = judged(
        tmp_path, *(packed_anew(data, {"METS.xml": changed}).getvalue() for changed in spoilt.values())
    )
    for rule, report in zip(spoilt, reports, strict=True):
        assert rule in {error["rule"] for error in report["rules"]}


def test_mets_lists_every_file_with_size_checksum_type_and_date(mailbox, drawn):
    files = unpacked(
        packed(
            a_conversation(
                mailbox,
                File("å ä.pdf", "application/pdf", BytesContent(PDF)),
                File("brev.txt", "text/plain", BytesContent(b"hej")),
            )
        )
    )
    listed = {}
    for base in ("", "representations/original/"):
        mets = etree.fromstring(files[f"{base}METS.xml"])
        for entry in mets.iterfind(".//mets:mdRef", NAMES):
            listed[base + unquote(entry.get(f"{{{NAMES['xlink']}}}href"))] = entry
        for entry in mets.iterfind(".//mets:file", NAMES):
            place = entry.find("mets:FLocat", NAMES).get(f"{{{NAMES['xlink']}}}href")
            listed[base + unquote(place)] = entry
    assert set(listed) == set(files) - {"METS.xml"}
    for path, entry in listed.items():
        assert int(entry.get("SIZE")) == len(files[path])
        assert entry.get("CHECKSUM") == hashlib.sha256(files[path]).hexdigest()
        assert datetime.fromisoformat(entry.get("CREATED")) <= datetime.now(UTC).replace(year=2100)
        assert "/" in entry.get("MIMETYPE")
    premis = etree.fromstring(files["metadata/preservation/PREMIS.xml"])
    digests = [found.text for found in premis.iterfind(".//premis:messageDigest", NAMES)]
    in_data = [path for path in files if path.startswith("representations/original/data/")]
    assert sorted(digests) == sorted(hashlib.sha256(files[path]).hexdigest() for path in in_data)
    assert "å ä.pdf" in [found.text for found in premis.iterfind(".//premis:originalName", NAMES)]


def test_the_case_the_messages_and_their_registration_are_described(mailbox, drawn):
    karin = a_member("Karin Svensson", mailbox)
    conversation = a_conversation(mailbox, File("plan.pdf", "application/pdf", BytesContent(PDF)))
    before = etree.fromstring(unpacked(packed(conversation))["metadata/descriptive/ERMS.xml"])
    assert before.find(".//erms:aggregation", NAMES).get("otherAggregationType") == "conversation"
    wrong = entries.register(conversation.pk, karin, entries.Entry("case", case_number="KS 2026/3117"))
    entries.correct(wrong, karin, entries.Entry("case", case_number="KS 2026/3118"), "Fel siffra")
    files = unpacked(packed(conversation))
    erms = etree.fromstring(files["metadata/descriptive/ERMS.xml"])
    aggregation = erms.find(".//erms:aggregation", NAMES)
    assert aggregation.get("aggregationType") == "caseFile"
    assert aggregation.findtext("erms:objectId", namespaces=NAMES) == "KS 2026/3118"
    assert aggregation.findtext("erms:title", namespaces=NAMES) == "Planering"
    told = [found.text for found in aggregation.iterfind("erms:action/erms:actionText", NAMES)]
    assert told == ["Registrerat som KS 2026/3117", "Registrerat som KS 2026/3118"]
    record = aggregation.find("erms:record", NAMES)
    assert record.find("erms:direction", NAMES).get("directionDefinition") == "incoming"
    appendix = record.find(".//erms:appendix", NAMES)
    assert appendix.get("name") == "plan.pdf"
    assert unquote(appendix.get("path")) in files
    assert record.find("erms:restriction", NAMES) is None


def test_what_is_confidential_is_marked_and_named_in_no_name(mailbox, drawn):
    conversation = a_conversation(mailbox, subject="Hemligt ämne", is_confidential=True)
    data = packed(conversation)
    files = unpacked(data)
    erms = etree.fromstring(files["metadata/descriptive/ERMS.xml"])
    kinds = [found.get("restrictionType") for found in erms.iterfind(".//erms:restriction", NAMES)]
    assert kinds == ["confidential", "confidential"]
    assert etree.fromstring(files["METS.xml"]).get("LABEL") is None
    assert b"Hemligt" not in files["METS.xml"] + files["representations/original/METS.xml"]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert not any("Hemligt" in name for name in archive.namelist())
    assert "Hemligt" not in file_name_of(conversation, MADE_AT)


def test_the_metadata_keep_to_the_schema_that_lies_beside_them(mailbox, drawn):
    karin = a_member("Karin Svensson", mailbox)
    conversation = a_conversation(mailbox, File("plan.pdf", "application/pdf", BytesContent(PDF)))
    minor = entries.register(
        conversation.pk, karin, entries.Entry("minor", reason="Kopia", retention_basis="Beslut")
    )
    entries.correct(minor, karin, entries.Entry("case", case_number="KS 2026/3118"), "Fel")
    message = conversation.messages.get()
    message.sender_references = [{"root": "dnr", "value": "A 1", "label": "Diarienummer"}]
    message.save()
    files = unpacked(packed(conversation))
    schema = etree.XMLSchema(etree.fromstring(files["schemas/record.xsd"]))
    schema.assertValid(etree.fromstring(files["representations/original/data/metadata.xml"]))


def test_one_conversation_at_one_time_gives_one_package(mailbox, drawn):
    conversation = a_conversation(mailbox, File("plan.pdf", "application/pdf", BytesContent(PDF)))
    assert packed(conversation) == packed(conversation)


@pytest.mark.parametrize(
    ("changes", "path", "code"),
    [
        ({"representations/original/data/conversation.pdf": b"%PDF another"}, "conversation.pdf", "changed"),
        ({"metadata/descriptive/ERMS.xml": b"<erms/>"}, "ERMS.xml", "changed"),
        ({"metadata/preservation/PREMIS.xml": None}, "PREMIS.xml", "missing"),
        ({"representations/original/data/more.txt": b"more"}, "more.txt", "not-listed"),
        ({"METS.xml": b"<mets"}, "METS.xml", "unreadable"),
        ({"METS.xml": None}, "METS.xml", "missing"),
        ({"representations/original/METS.xml": None}, "original/METS.xml", "missing"),
        (
            {"METS.xml": b"<mets xmlns='http://www.loc.gov/METS/'><file SIZE='x'/></mets>"},
            "METS.xml",
            "unreadable",
        ),
    ],
    ids=["page", "metadata", "missing", "added", "broken", "no METS", "no METS of data", "odd METS"],
)
def test_what_is_changed_in_a_package_is_found(mailbox, drawn, changes, path, code):
    data = packed(a_conversation(mailbox))
    found = [(fault.path, fault.code) for fault in check_bundle(packed_anew(data, changes))]
    assert any(where.endswith(path) and what == code for where, what in found), found


def test_the_command_reads_packages_too(mailbox, drawn, tmp_path, capsys):
    (tmp_path / "good.zip").write_bytes(packed(a_conversation(mailbox)))
    with pytest.raises(SystemExit) as ended:
        call_command("check_record_bundle", str(tmp_path / "good.zip"))
    assert ended.value.code == 0
    assert "sound" in capsys.readouterr().out


def test_a_large_attachment_is_not_held_in_memory(mailbox, drawn, tmp_path):
    size = 20_000_000
    conversation = a_conversation(
        mailbox, File("stor.bin", "application/x-x", BytesContent(os.urandom(size)))
    )
    with (tmp_path / "package.zip").open("w+b") as out:
        tracemalloc.start()
        write_package(conversation, out, made_by="Karin", made_at=MADE_AT)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert out.tell() > size
    assert peak < 4_000_000


def test_a_member_downloads_a_package_and_the_log_says_which_form(client, mailbox, drawn):
    conversation = a_conversation(mailbox)
    log_in(client, a_member("Karin", mailbox))
    address = reverse("record-bundle", args=[conversation.pk])
    response = client.post(address, {"kind": "eark"})
    assert check_bundle(io.BytesIO(b"".join(response.streaming_content))) == []
    name = unquote(response.headers["Content-Disposition"])
    assert "e-ark Håbo kommun" in name
    assert "Planering.zip" in name
    exported = AccessLogEntry.objects.filter(conversation_id=conversation.conversation_id)
    assert exported.get().what == "eark-package-made"
    b"".join(client.post(address, {"kind": "bundle"}).streaming_content)
    assert set(exported.values_list("what", flat=True)) == {"eark-package-made", "record-bundle-made"}
    assert not any(Path(django_settings.SDK_WORK_DIR).iterdir())


@pytest.mark.parametrize("kind", ["other", "eark\x00", "\ud800", "EARK"])
def test_an_unknown_form_is_refused_with_words_and_not_logged(client, mailbox, drawn, kind):
    conversation = a_conversation(mailbox)
    log_in(client, a_member("Karin", mailbox))
    data = f"kind={kind}".encode("utf-8", "surrogatepass")
    response = client.post(
        reverse("record-bundle", args=[conversation.pk]),
        data,
        content_type="application/x-www-form-urlencoded",
        follow=True,
    )
    assert response.status_code == 200
    assert "Välj vilket slags arkivpaket" in response.content.decode()
    assert not AccessLogEntry.objects.filter(what__in=("eark-package-made", "record-bundle-made")).exists()


def test_a_package_whose_page_cannot_be_drawn_is_said_and_nothing_is_left(client, mailbox, monkeypatch):
    def failing(*_):
        raise rendering.RenderingFailed("the time is up")

    monkeypatch.setattr(rendering, "render", failing)
    conversation = a_conversation(mailbox)
    log_in(client, a_member("Karin", mailbox))
    address = reverse("record-bundle", args=[conversation.pk])
    response = client.post(address, {"kind": "eark"}, follow=True)
    assert "Arkivpaketet kunde inte göras" in response.content.decode()
    assert not AccessLogEntry.objects.filter(what="eark-package-made").exists()


def test_the_file_name_has_the_registered_number_and_the_subject_only_where_nothing_is_confidential(mailbox):
    karin = a_member("Karin", mailbox)
    open_one = a_conversation(mailbox, subject="Plan för\x00 2026/27: 'vecka' \\ 50?")
    assert file_name_of(open_one, MADE_AT, kind="e-ark") == (
        "e-ark Håbo kommun 2026-07-02 0030 2026-117 Plan för 2026-27 'vecka' - 50.zip"
    )
    secret = a_conversation(mailbox, subject="Hemligt ämne", is_confidential=True)
    entries.register(secret.pk, karin, entries.Entry("case", case_number="KS 2026/3118"))
    assert file_name_of(secret, MADE_AT) == "arkivpaket Håbo kommun 2026-07-02 0030 KS 2026-3118.zip"
