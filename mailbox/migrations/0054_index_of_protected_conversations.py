"""Protected conversations, which are few, are found by an index of their own."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("mailbox", "0053_protected_conversations")]

    operations = [
        AddIndexConcurrently(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("is_protected", True)),
                fields=["mailbox", "-last_arrived_at", "id"],
                name="conversation_protected",
            ),
        ),
        # Until the server knows that they are few, lists across mailboxes sort whole tables.
        migrations.RunSQL("ANALYZE mailbox_conversation (is_protected)", migrations.RunSQL.noop),
    ]
