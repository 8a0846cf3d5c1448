"""Whoever sets the day by which a conversation is to be done has a line in its history. Choices only."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('mailbox', '0034_names_that_say_what_a_row_is'),
    ]

    operations = [
        migrations.AlterField(
            model_name='conversationevent',
            name='what',
            field=models.CharField(choices=[('opened', 'Opened'), ('taken', 'Taken'), ('given-back', 'Given Back'), ('due', 'Due'), ('left', 'Left'), ('offered', 'Offered'), ('accepted', 'Accepted'), ('declined', 'Declined'), ('withdrawn', 'Withdrawn'), ('answered', 'Answered'), ('done', 'Done'), ('reopened', 'Reopened'), ('trashed', 'Trashed'), ('arrived', 'Arrived'), ('remind', 'Remind'), ('brought-up', 'Brought Up'), ('noted', 'Noted'), ('note-removed', 'Note Removed'), ('labelled', 'Labelled'), ('unlabelled', 'Unlabelled'), ('undone', 'Undone'), ('undelivered', 'Undelivered'), ('overdue', 'Overdue'), ('cancelled', 'Cancelled'), ('sent-again', 'Sent Again'), ('stood-in', 'Stood In'), ('held', 'Retention Hold'), ('released', 'Released')], max_length=12),
        ),
    ]
