"""Whoever changed a draft last owns it."""

from django.db import migrations
from django.db.models import F
from django.db.models.functions import Coalesce


def give_owners(apps, schema_editor):
    # What a process of the release before begins meanwhile has none: whoever writes in it first owns it.
    drafts = apps.get_model("mailbox", "Draft").objects.filter(owner=None)
    drafts.update(owner_id=Coalesce(F("changed_by_id"), F("created_by_id")))


class Migration(migrations.Migration):
    dependencies = [("mailbox", "0036_drafts_have_an_owner")]

    operations = [migrations.RunPython(give_owners, migrations.RunPython.noop)]
