"""Nobody adds a table that is silently forgotten when an organisation leaves."""

from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import models

from mailbox.models import Person
from sdkportal.leaving.belongings import BELONGINGS, SECRETS, SHARED, Kind, labels, model_of
from sdkportal.leaving.people_named import people_columns
from sdkportal.leaving.references import PLAIN, REFERENCES
from sdkportal.leaving.rows import exported_fields
from transport.storage.encryption.fields import EncryptedJSONField, EncryptedTextField

# They name organisations that are not of this installation, or their names, and nobody's content.
PUBLIC = {"addressbook.Organisation", "at_rest.DataKey"}


def test_every_model_is_classified_and_no_other():
    assert {model._meta.label for model in apps.get_models()} == set(BELONGINGS)


def test_no_table_is_made_without_a_model_but_the_permissions_of_groups():
    automatic = {model._meta.label for model in apps.get_models(include_auto_created=True)} - set(BELONGINGS)
    assert automatic == {"auth.Group_permissions"}


def test_what_refers_to_an_organisation_is_no_part_of_the_installation():
    theirs = set(labels(Kind.EXPORTED, Kind.KEYS, Kind.PASSING, Kind.REBUILT))
    for label in set(labels(Kind.INSTALLATION)) - PUBLIC:
        fields = model_of(label)._meta.concrete_fields
        named = {field.related_model._meta.label for field in fields if field.remote_field}
        assert named & theirs == set(), label
        assert "participant_id" not in {field.name for field in fields}, label
        assert not any(isinstance(each, EncryptedTextField | EncryptedJSONField) for each in fields), label
        assert not getattr(model_of(label), "stored_files", {}), label


def test_every_path_leads_to_a_participant_by_foreign_keys():
    for label, belonging in BELONGINGS.items():
        assert bool(belonging.paths) == (belonging.kind not in (Kind.INSTALLATION, Kind.SHARED, Kind.PEOPLE))
        for path, _ in belonging.paths:
            model = model_of(label)
            *steps, last = path.split("__")
            for step in steps:
                model = model._meta.get_field(step).related_model
            assert last in ("participant_id", "sender", "recipient"), label
            assert model._meta.get_field(last).max_length == 260
    assert set(SHARED) == set(labels(Kind.SHARED))


def test_what_may_hold_keys_of_rows_is_told_of():
    kinds = (models.JSONField, ArrayField, models.BigIntegerField)
    found = {
        (label, field.name)
        for label in labels(Kind.EXPORTED)
        for field in model_of(label)._meta.concrete_fields
        if isinstance(field, kinds) and not field.primary_key
    }
    known = {pair for pair in PLAIN | set(REFERENCES) if isinstance(_field(*pair), kinds)}
    assert found - {("mailbox.Redirection", "value")} == known


def _field(label: str, name: str) -> models.Field:
    return model_of(label)._meta.get_field(name)


def test_private_keys_and_secrets_are_in_no_table_of_an_export():
    for label in labels(Kind.EXPORTED):
        names = {field.name for field in exported_fields(label, model_of(label))}
        assert not names & {"private_key", "webhook_secret", "sftp_private_key", "access_token"}, label
    assert all(_field(label, name) for label, names in SECRETS.items() for name in names)


def test_what_names_people_is_found_by_its_foreign_keys():
    assert people_columns("mailbox.Draft") == ("owner", "send_by", "created_by", "changed_by")
    assert people_columns("mailbox.Label") == ()
    assert model_of("mailbox.Person") is Person
