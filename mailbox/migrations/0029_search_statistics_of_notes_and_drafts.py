"""A word that no note holds must not look as if hundreds did: they would be gone through one by one for it."""

from django.db import migrations

TABLES = ("mailbox_noteentry", "mailbox_draftentry")


def statements(much: int) -> list[str]:
    return [f"ALTER TABLE {table} ALTER COLUMN words SET STATISTICS {much}" for table in TABLES]


class Migration(migrations.Migration):
    dependencies = [("mailbox", "0028_drafts_in_search")]

    operations = [migrations.RunSQL(statements(1000), statements(-1))]
