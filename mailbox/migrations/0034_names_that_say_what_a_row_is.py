"""Names that say what a row is: assignee, reassignment. Tables and columns keep theirs, and every row."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import transport.storage.encryption.fields


class Migration(migrations.Migration):
    dependencies = [("mailbox", "0033_function_addresses_of_any_length")]

    # Nothing changes in the database: processes of the release before go on beside those of this one.
    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name='conversationevent',
                    name='what',
                    field=models.CharField(choices=[('opened', 'Opened'), ('taken', 'Taken'), ('given-back', 'Given Back'), ('left', 'Left'), ('offered', 'Offered'), ('accepted', 'Accepted'), ('declined', 'Declined'), ('withdrawn', 'Withdrawn'), ('answered', 'Answered'), ('done', 'Done'), ('reopened', 'Reopened'), ('trashed', 'Trashed'), ('arrived', 'Arrived'), ('remind', 'Remind'), ('brought-up', 'Brought Up'), ('noted', 'Noted'), ('note-removed', 'Note Removed'), ('labelled', 'Labelled'), ('unlabelled', 'Unlabelled'), ('undone', 'Undone'), ('undelivered', 'Undelivered'), ('overdue', 'Overdue'), ('cancelled', 'Cancelled'), ('sent-again', 'Sent Again'), ('stood-in', 'Stood In'), ('held', 'Retention Hold'), ('released', 'Released')], max_length=12),
                ),
                migrations.RemoveIndex("conversation", "conversation_open"),
                migrations.RemoveIndex("conversation", "conversation_held"),
                migrations.RenameField("conversation", "holder", "assignee"),
                migrations.AlterField(
                    "conversation",
                    "assignee",
                    models.ForeignKey(
                        blank=True,
                        db_column="holder_id",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="assigned_conversations",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                migrations.AddIndex(
                    "conversation",
                    models.Index(
                        fields=["mailbox", "-last_arrived_at", "id"],
                        include=("is_waiting", "assignee"),
                        name="conversation_open",
                        condition=models.Q(("state", "open")),
                    ),
                ),
                migrations.AddIndex(
                    "conversation",
                    models.Index(
                        fields=["mailbox", "assignee", "-last_activity_at", "-id"],
                        name="conversation_held",
                        condition=models.Q(("assignee__isnull", False)),
                    ),
                ),
                migrations.RenameModel("HandOver", "Reassignment"),
                migrations.AlterModelTable("reassignment", "mailbox_handover"),
                migrations.AlterField(
                    "reassignment",
                    "conversation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="reassignments",
                        to="mailbox.conversation",
                    ),
                ),
                migrations.RenameField("reassignment", "is_done", "done"),
                migrations.AlterField(
                    "reassignment",
                    "done",
                    transport.storage.encryption.fields.EncryptedTextField(
                        blank=True, db_column="is_done", help_text="what has been done"
                    ),
                ),
            ]
        )
    ]
