"""Lists of conversations by their nearest time limit read an index of their own."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('mailbox', '0046_time_limits'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='conversation',
            index=models.Index(condition=models.Q(('limit_at__isnull', False), ('state', 'open')), fields=['mailbox', 'limit_at', '-last_activity_at', '-id'], name='conversation_limit'),
        ),
        # Of a new column the server knows nothing until it has looked.
        migrations.RunSQL("ANALYZE mailbox_conversation (limit_at)", migrations.RunSQL.noop),
    ]
