"""What the form lets through breaks no rule of the federation: it is told at the field, or sent."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailbox.drafts import composer, message_check, sent_copy
from mailbox.models import Draft, Message
from tests.mailbox.build import a_member
from tests.mailbox.drafts.test_sending import ready
from transport.message_service.models import OutgoingMessage

pytestmark = pytest.mark.django_db
# A browser sends text as UTF-8, which has no halves of characters.
_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=300)
_KINDS = st.sampled_from(["", *message_check.REFERENCE_KINDS, "no-such-kind"])


@pytest.mark.parametrize(
    ("field", "form"),
    [
        ("subject", {"subject": "Kal\x0blelse"}),
        ("text", {"text": "Hej\x00"}),
        ("reference", {"reference_kind": "dnr", "reference": "SN\x1b1"}),
        (
            "reference",
            {"reference_kind": "dnr", "reference": "1", "reference_kind-2": "dnr", "reference-2": "\ufffe2"},
        ),
        ("person_name", {"person_name": "Ni\x08ls"}),
    ],
)
def test_a_character_that_cannot_be_sent_is_told_at_its_field(mailbox, function, field, form):
    draft = ready(mailbox, function, a_member("Karin", mailbox), **form)
    with pytest.raises(composer.DraftIncomplete) as incomplete:
        message_check.check(draft)
    assert set(incomplete.value.errors) == {field}
    assert "osynligt tecken" in incomplete.value.errors[field]


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    form=st.fixed_dictionaries(
        {"subject": _TEXT, "text": _TEXT},
        optional={
            "is_confidential": st.just("on"),
            "reference_kind": _KINDS,
            "reference": _TEXT,
            "reference_kind-2": _KINDS,
            "reference-2": _TEXT,
            "person_name": _TEXT,
            "person_name-2": _TEXT,
        },
    )
)
def test_what_passes_the_check_is_ordered_without_a_rule_in_the_way(mailbox, function, form):
    person = a_member("Karin", mailbox)
    draft = ready(mailbox, function, person, **form)
    before = OutgoingMessage.objects.count()
    if told := _told(draft):
        assert told <= {"subject", "text", "reference_kind", "reference", "person_name"}
        composer.discard(draft, draft.version)
        return
    sent_copy.send_to_first(draft, person)
    assert OutgoingMessage.objects.count() == before + 1
    assert Message.objects.latest("pk").subject == form["subject"].strip()[:256]
    assert not Draft.objects.filter(pk=draft.pk).exists()


def _told(draft: Draft) -> set[str]:
    """The fields that have to be mended before it can be sent."""
    try:
        message_check.check(draft)
    except composer.DraftIncomplete as incomplete:
        return set(incomplete.errors)
    return set()
