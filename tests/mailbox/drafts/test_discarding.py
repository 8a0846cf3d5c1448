"""Throwing a draft away: what others have written in it too is gone for all, so it is asked first."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from mailbox.drafts import composer, draft_files, ownership
from mailbox.models import Draft, WritingChoices
from tests.mailbox.build import a_member, log_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def karin(mailbox):
    return a_member("Karin", mailbox)


@pytest.fixture
def pressed(client, karin):
    """Press a button of the draft's page, with what its fields hold; None for the check step, without any."""
    log_in(client, karin)

    def press(draft: Draft, action: str, text: str | None = ""):
        fields = {} if text is None else {"subject": draft.subject, "text": text}
        return client.post(
            reverse("draft", args=[draft.pk]), {"action": action, "version": draft.version, **fields}
        )

    return press


def test_a_draft_that_holds_no_work_goes_at_once(mailbox, karin, pressed):
    WritingChoices.objects.create(mailbox=mailbox, signature="Hälsningar\n{funktion}")
    draft = composer.begin(mailbox, karin)
    assert pressed(draft, "discard", f"\n\nHälsningar\n{mailbox.name}").headers["Location"] == reverse(
        "mailbox", args=[mailbox.pk]
    )
    assert not Draft.objects.exists()


def test_what_was_written_is_shown_and_saved_and_goes_when_it_is_confirmed(mailbox, karin, pressed):
    draft = composer.begin(mailbox, karin)
    asked = pressed(draft, "discard", "Ett halvt utlåtande")
    assert "Ta bort utkastet?" in asked.content.decode()
    assert "Ett halvt utlåtande" in asked.content.decode()
    draft.refresh_from_db()
    assert draft.text == "Ett halvt utlåtande", "whoever goes back finds it"
    assert pressed(draft, "discard-now", None).status_code == 302
    assert not Draft.objects.exists()


def test_a_file_is_asked_for_too_and_the_check_step_changes_nothing(mailbox, karin, pressed):
    draft = composer.begin(mailbox, karin)
    draft = composer.save(draft.pk, draft.version, composer.Content({"subject": "Plan"}), karin)
    draft_files.attach(draft, SimpleUploadedFile("plan.pdf", b"%PDF-1.7"))
    draft.refresh_from_db()
    asked = pressed(draft, "discard", None).content.decode()
    assert "plan.pdf" in asked
    assert Draft.objects.get().subject == "Plan"


def test_another_s_draft_is_asked_for_however_little_it_holds(mailbox, pressed):
    ahmed = a_member("Ahmed", mailbox)
    draft = composer.begin(mailbox, ahmed)
    draft = composer.save(draft.pk, draft.version, composer.Content({"subject": "Ahmeds"}), ahmed)
    assert "av Ahmed" in pressed(draft, "discard", "").content.decode()
    assert Draft.objects.exists()


def test_what_somebody_has_written_since_is_not_thrown_away_unseen(mailbox, karin, pressed):
    draft = composer.begin(mailbox, karin)
    draft = composer.save(draft.pk, draft.version, composer.Content({"text": "Karins"}), karin)
    ahmed = a_member("Ahmed", mailbox)
    taken = ownership.take_over(draft.pk, draft.version, ahmed)
    composer.save(taken.pk, taken.version, composer.Content({"text": "Ahmeds tillägg"}), ahmed)
    told = pressed(draft, "discard-now", None)
    assert told.status_code == 409
    assert "Ahmeds tillägg" in told.content.decode()
    assert Draft.objects.get().text == "Ahmeds tillägg"
    assert pressed(draft, "discard", "Karins igen").status_code == 409
    assert Draft.objects.get().text == "Ahmeds tillägg"
