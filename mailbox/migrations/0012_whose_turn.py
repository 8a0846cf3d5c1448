from django.db import migrations

_FROM_MESSAGES = """
UPDATE mailbox_conversation AS c
SET has_sent = EXISTS (SELECT 1 FROM mailbox_message m WHERE m.conversation_id = c.id AND m.direction = 'out'),
    is_waiting = COALESCE((SELECT m.direction = 'out' FROM mailbox_message m
                           WHERE m.conversation_id = c.id ORDER BY m.at DESC, m.id DESC LIMIT 1), FALSE)
"""


class Migration(migrations.Migration):

    dependencies = [
        ('mailbox', '0011_handling'),
    ]

    operations = [
        migrations.RunSQL(_FROM_MESSAGES, migrations.RunSQL.noop),
    ]
