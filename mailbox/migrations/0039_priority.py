"""A conversation may be prioritised; the list of those that are is found by an index of its own."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('mailbox', '0038_organisation_identity'),
    ]

    operations = [
        migrations.AddField(
            model_name='conversation',
            name='is_priority',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AlterField(
            model_name='conversationevent',
            name='what',
            field=models.CharField(choices=[('opened', 'Opened'), ('taken', 'Taken'), ('given-back', 'Given Back'), ('due', 'Due'), ('left', 'Left'), ('offered', 'Offered'), ('accepted', 'Accepted'), ('declined', 'Declined'), ('withdrawn', 'Withdrawn'), ('answered', 'Answered'), ('done', 'Done'), ('reopened', 'Reopened'), ('trashed', 'Trashed'), ('arrived', 'Arrived'), ('remind', 'Remind'), ('brought-up', 'Brought Up'), ('noted', 'Noted'), ('note-removed', 'Note Removed'), ('labelled', 'Labelled'), ('unlabelled', 'Unlabelled'), ('priority', 'Prioritised'), ('no-priority', 'Priority Removed'), ('undone', 'Undone'), ('undelivered', 'Undelivered'), ('overdue', 'Overdue'), ('cancelled', 'Cancelled'), ('sent-again', 'Sent Again'), ('stood-in', 'Stood In'), ('held', 'Retention Hold'), ('released', 'Released')], max_length=12),
        ),
        AddIndexConcurrently(
            model_name='conversation',
            index=models.Index(condition=models.Q(('is_priority', True)), fields=['mailbox', '-last_activity_at', '-id'], name='conversation_priority'),
        ),
    ]
