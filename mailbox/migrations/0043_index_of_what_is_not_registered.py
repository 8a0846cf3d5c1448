"""The list of what is not registered is found by an index of its own."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("mailbox", "0042_registration")]

    operations = [
        AddIndexConcurrently(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("registration_state", "pending")),
                fields=["mailbox", "last_activity_at", "id"],
                include=("state",),
                name="conversation_unregistered",
            ),
        ),
        # Of a new column the server knows nothing until it has looked.
        migrations.RunSQL("ANALYZE mailbox_conversation (registration_state)", migrations.RunSQL.noop),
    ]
