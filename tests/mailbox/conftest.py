import pytest

from addressbook.models import FunctionAddress, Organisation
from mailbox.models import FunctionMailbox
from transport.message_service.models import Organisation as OwnOrganisation

HERE = "0203:habo.se"


@pytest.fixture
def mailbox(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    OwnOrganisation.objects.create(participant_id=HERE, name="Håbo kommun")
    return FunctionMailbox.objects.create(participant_id=HERE, address="funktion-b", name="Mottagning")


@pytest.fixture
def function():
    organisation = Organisation.objects.create(book_id="1", participant_id="0203:af.se", name="AF")
    return FunctionAddress.objects.create(
        book_id="1", organisation=organisation, identifier="sdk:af", name="Arbetsträning"
    )
