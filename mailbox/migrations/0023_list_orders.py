from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('mailbox', '0022_who_made_a_rule'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='conversation',
            index=models.Index(condition=models.Q(('due_on__isnull', False), ('state', 'open')), fields=['mailbox', 'due_on', '-last_activity_at', '-id'], name='conversation_due'),
        ),
        AddIndexConcurrently(
            model_name='conversation',
            index=models.Index(condition=models.Q(('remind_at__isnull', False), ('state', 'open')), fields=['mailbox', 'remind_at', '-last_activity_at', '-id'], name='conversation_reminded'),
        ),
    ]
