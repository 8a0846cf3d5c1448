"""What is downloaded has a name and headers that every system takes; every program reads its archives."""

import io
import os
import shutil
import subprocess
import zipfile
import zlib
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse

from mailbox.attachments import previews, uploads, zip_archive
from mailbox.attachments.downloads import guarded, safe_content_type
from mailbox.attachments.file_names import distinct, safe_name
from mailbox.models import Attachment
from mailbox.texts import plain_text
from tests.mailbox.build import a_member, arrives, log_in
from transport.names import contained
from transport.protocol.sdk_message.message import BytesContent, File

from .test_attachments import a_pdf

JAVA = Path(__file__).parent / "java" / "ReadZip.java"
ODD_NAMES = (
    "CON",
    "aux.txt",
    "nul.tar.gz",
    "COM1.pdf",
    "LPT¹",
    "å" * 300 + ".pdf",
    "\N{GRINNING FACE}" * 200,
    "slut. . ",
    "a/b\\c:d.txt",
    "..",
    "../../etc/passwd",
    "rad\r\nbrytning.txt",
    "faktura\u202efdp.exe",
    "a" + "\u0301" * 500 + ".txt",
    "Rapport.PDF",
    "rapport.pdf",
    "re\u0301sume\u0301.txt",
    "r\u00e9sum\u00e9.txt",
    "\ud800",
    "",
)


def a_zip(contents: list[tuple[str, bytes]]) -> bytes:
    entries = [
        zip_archive.Entry(name, lambda content=content: io.BytesIO(content)) for name, content in contents
    ]
    return b"".join(zip_archive.archive(entries))


def read_by_java(archive: bytes, directory: Path) -> list[tuple[int, int]]:
    """Length and CRC of each entry, as Java's streams read them."""
    if shutil.which("java") is None:
        if os.environ.get("CI"):
            pytest.fail("a JDK is needed to read archives")
        pytest.skip("a JDK is needed to read archives")
    file = directory / "archive.zip"
    file.write_bytes(archive)
    done = subprocess.run(
        ["java", "-XX:+UseSerialGC", str(JAVA), str(file)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return [(int(length), int(sum_)) for length, sum_ in map(str.split, done.stdout.splitlines())]


def test_an_archive_is_read_from_its_beginning_by_java_and_from_its_end_by_python(tmp_path):
    contents = [("tom.txt", b""), ("brev.txt", b"hej\n" * 100_000), ("bild.jpg", os.urandom(300_000))]
    made = a_zip(contents)
    assert read_by_java(made, tmp_path) == [(len(content), zlib.crc32(content)) for _, content in contents]
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert archive.testzip() is None
        assert [(info.filename, archive.read(info)) for info in archive.infolist()] == contents


def test_an_archive_of_odd_names_is_unpacked_by_any_system(tmp_path):
    made = a_zip([(safe_name(name), b"x") for name in ODD_NAMES])
    if shutil.which("unzip"):
        (tmp_path / "a.zip").write_bytes(made)
        subprocess.run(["unzip", "-q", "-n", "a.zip", "-d", "by-unzip"], cwd=tmp_path, check=True, timeout=60)
        assert len(list((tmp_path / "by-unzip").iterdir())) == len(ODD_NAMES)
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "by-python")
    assert len(list((tmp_path / "by-python").iterdir())) == len(ODD_NAMES)
    assert len({name.casefold() for name in names}) == len(ODD_NAMES)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_safe_name_is_one_that_windows_macos_and_linux_take(name):
    safe = safe_name(name)
    assert 0 < len(safe.encode()) <= 200
    assert safe.partition(".")[0].upper() not in {"CON", "PRN", "AUX", "NUL", "COM1", "LPT¹"}
    assert not set(safe) & set('/\\<>:"|?*\r\n\u202e')
    assert safe == safe.strip(" .")
    assert safe_name(safe) == safe


def test_a_long_name_keeps_its_suffix_and_a_plain_one_is_left_alone():
    assert safe_name("å" * 300 + ".pdf") == "å" * 98 + ".pdf"
    assert safe_name("Plan – räksmörgås (2).pdf") == "Plan – räksmörgås (2).pdf"


def test_names_that_a_system_takes_for_the_same_are_told_apart():
    assert list(distinct(["a.txt", "A.TXT", "a (2).txt", "a.txt"])) == [
        "a.txt",
        "A (2).TXT",
        "a (2) (2).txt",
        "a (3).txt",
    ]


@pytest.mark.parametrize(
    "said",
    [
        "text/plain\r\nSet-Cookie: a=b",
        "text/plain\n",
        "text/html\x00",
        "text/plain; charset=\r\n utf-8",
        "text/plain;\tx=y",
        "",
        "text",
        "text/plain, text/html",
        "bild/å",
        'text/plain; a="b\r\nc"',
        "a/" + "b" * 300,
        "text/plain\u2028",
    ],
)
def test_a_type_that_is_none_becomes_that_of_unknown_bytes(said):
    assert safe_content_type(said) == "application/octet-stream"
    answer = guarded(HttpResponse(), said, saved_as="a\r\nX-Evil: 1.txt")
    assert "\n" not in answer.serialize_headers().decode().replace("\r\n", "")
    assert "X-Evil" not in answer.headers


@pytest.mark.parametrize("said", ["text/plain", "text/plain; charset=utf-8", 'text/plain;charset="utf-8"'])
def test_a_type_that_is_one_is_kept(said):
    assert safe_content_type(f" {said} ") == said


@pytest.mark.django_db
@pytest.mark.parametrize("content_type", ["text/plain\r\nX-Evil: 1", "text/plain\n", "bild/å", ""])
def test_an_attachment_of_any_type_and_name_is_downloaded(client, mailbox, content_type):
    log_in(client, a_member("Karin", mailbox))
    message = arrives(mailbox, files=(File("a.txt", "text/plain", BytesContent(b"hej")),))
    Attachment.objects.update(content_type=content_type)
    row = Attachment.objects.get()
    # As rows were stored before names were made safe.
    row.name = "rad\r\nX-Evil: 1.txt"
    row.save()
    answer = client.get(f"/bilaga/{row.pk}")
    assert b"".join(answer.streaming_content) == b"hej"
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Disposition"].startswith("attachment")
    assert "X-Evil" not in answer.headers
    assert client.get(f"/meddelande/{message.pk}/bilagor").status_code == 200
    assert client.get(f"/konversation/{message.conversation_id}/").status_code == 200


def test_headers_of_what_messages_hold_are_set_in_one_place():
    """Views that hand out what a message holds name types and files to `downloads` only."""
    for name in ("attachments", "archive", "delivery"):
        source = (Path(settings.BASE_DIR) / "mailbox" / name / "views.py").read_text()
        for header in ("Content-Disposition", "Content-Type", "filename=", "content_type=row"):
            assert header not in source, (name, header)


@pytest.mark.parametrize(
    "before",
    [b"", b"\xef\xbb\xbf", b"\x1b%-12345X@PJL JOB\r\n@PJL ENTER LANGUAGE=PDF\r\n", b"\r\n" * 500],
    ids=["nothing", "byte order mark", "PJL", "1000 bytes"],
)
@pytest.mark.django_db
def test_a_pdf_is_one_though_something_stands_before_its_header(before, mailbox, shared):
    pdf = (shared / "cases" / "bom-before-header.pdf").read_bytes().removeprefix(b"\xef\xbb\xbf")
    upload = SimpleUploadedFile("a.pdf", before + pdf)
    stored = uploads.store_upload(upload, "drafts", mailbox.participant_id, room=10**6)
    assert stored.content_type == "application/pdf"
    assert previews.pictures_of(io.BytesIO(before + a_pdf())).page_count == 1


@pytest.mark.parametrize("content", [b"x" * 1024 + b"%PDF-1.7", b"MZ\x90", b"%PD"])
def test_what_has_no_header_within_a_kilobyte_is_no_pdf(content):
    with pytest.raises(uploads.FileRefused) as refused:
        uploads.store_upload(SimpleUploadedFile("a.pdf", content), "drafts", "0203:a", room=10**6)
    assert refused.value.reason == "content"


TEXT = "Räksmörgås och €\nkröp – över ån\n" * 40


@pytest.mark.parametrize(
    ("encoding", "mark", "content_type"),
    [
        ("utf-8", b"", "text/plain"),
        ("utf-8", b"\xef\xbb\xbf", "text/plain"),
        ("utf-16-le", b"\xff\xfe", "text/plain"),
        ("utf-16-be", b"\xfe\xff", "text/plain"),
        ("utf-16-le", b"", "text/plain"),
        ("utf-16-be", b"", "text/plain"),
        ("utf-32-le", b"\xff\xfe\0\0", "text/plain"),
        ("utf-32-be", b"\0\0\xfe\xff", "text/plain"),
        ("cp1252", b"", "text/plain"),
        ("iso8859-15", b"", 'text/plain; charset="ISO-8859-15"'),
        ("cp1252", b"", "text/plain; charset=utf-8"),
        ("utf-8", b"", "text/plain; charset=rot13"),
    ],
)
def test_a_text_is_read_in_its_encoding_whole_and_cut_at_any_byte(encoding, mark, content_type):
    text = TEXT.replace("–", "-") if encoding == "iso8859-15" else TEXT
    content = mark + text.encode(encoding)
    charset = plain_text.charset_of(content_type)
    assert plain_text.decoded(content, charset) == text
    for end in range(len(content) - 9, len(content)):
        cut = plain_text.decoded(content[:end], charset, is_cut=True)
        assert text.startswith(cut)
        assert len(text) - len(cut) <= 10


def test_a_wrong_byte_does_not_spoil_the_rest_of_a_text():
    read = plain_text.decoded("Räksmörgås på ön ".encode() + b"\xff" + "är blå".encode())
    assert read == "Räksmörgås på ön \ufffdär blå"


def test_a_long_text_is_cut_at_a_line(monkeypatch):
    monkeypatch.setattr(previews, "TEXT_BYTES", 1001)
    content = ("ååååååååå\n" * 200).encode()
    text, is_cut = previews.beginning_of(io.BytesIO(content), "text/plain")
    assert is_cut
    assert text == "ååååååååå\n" * 52
    assert previews.beginning_of(io.BytesIO("å".encode()), "text/plain") == ("å", False)
    one_line, _ = previews.beginning_of(io.BytesIO("å".encode() * 900), "text/plain")
    assert one_line == "å" * 500


def test_marks_that_would_paint_over_the_page_and_turned_directions_are_taken_away():
    assert contained("Z" + "\u0335\u0321" * 60 + "algo") == "Z" + "\u0335\u0321" * 2 + "algo"
    assert contained("faktura\u202efdp.exe\u2066\u2069") == "fakturafdp.exe"
    for text in ("Räksmörgås", "re\u0301sume\u0301", "วันนี้", "שָׁלוֹם", "नमस्ते", "\N{FAMILY}\ufe0f"):
        assert contained(text) == text
