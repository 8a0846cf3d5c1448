from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # The history may be long: its index is built beside those who write in it.
    atomic = False

    dependencies = [
        ('mailbox', '0018_working'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='conversationevent',
            index=models.Index(condition=models.Q(('what', 'brought-up')), fields=['actor', 'at'], name='brought_up_for'),
        ),
    ]
