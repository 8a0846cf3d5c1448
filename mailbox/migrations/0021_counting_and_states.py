from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('mailbox', '0020_writing'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='conversation',
            index=models.Index(fields=['mailbox', 'state', '-last_activity_at', '-id'], name='conversation_in_state'),
        ),
        AddIndexConcurrently(
            model_name='conversation',
            index=models.Index(condition=models.Q(('state', 'open')), fields=['mailbox', '-last_arrived_at', 'id'], include=('is_waiting', 'holder'), name='conversation_open'),
        ),
        AddIndexConcurrently(
            model_name='readmark',
            index=models.Index(fields=['person', 'conversation'], include=('seen_at',), name='read_mark_seen'),
        ),
    ]
