import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        # For pg_trgm.
        ('addressbook', '0001_initial'),
        ('mailbox', '0023_list_orders'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='accesslogentry',
            index=models.Index(fields=['participant_id', '-at', '-id'], name='access_log_latest'),
        ),
        AddIndexConcurrently(
            model_name='accesslogentry',
            index=models.Index(condition=models.Q(('what__in', ('attachment-opened', 'conversation-opened', 'searched')), _negated=True), fields=['participant_id', '-at', '-id'], name='access_log_latest_rare'),
        ),
        AddIndexConcurrently(
            model_name='draft',
            index=models.Index(fields=['mailbox', '-changed_at', '-id'], name='draft_latest'),
        ),
        AddIndexConcurrently(
            model_name='message',
            index=django.contrib.postgres.indexes.GinIndex(django.contrib.postgres.indexes.OpClass(django.db.models.functions.text.Upper('counterpart_organisation'), name='gin_trgm_ops'), name='message_organisation'),
        ),
        AddIndexConcurrently(
            model_name='message',
            index=django.contrib.postgres.indexes.GinIndex(django.contrib.postgres.indexes.OpClass(django.db.models.functions.text.Upper('counterpart_function'), name='gin_trgm_ops'), name='message_function'),
        ),
        AddIndexConcurrently(
            model_name='message',
            index=models.Index(condition=models.Q(('delivery_state__in', ('ERROR', 'MESSAGE_EXCHANGE_ERROR', 'REJECTED')), ('is_receipt_missing', True), _connector='OR'), fields=['conversation'], name='message_failed'),
        ),
        # What the database knows of how names are spread, it learns of the indexes' columns by looking anew.
        migrations.RunSQL('ANALYZE mailbox_message', migrations.RunSQL.noop),
    ]
