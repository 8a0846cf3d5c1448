"""Rules on arrival, and the name of the rule that made a change in a conversation's history."""

import django.db.models.deletion
import django.db.models.functions.datetime
import transport.storage.encryption.fields
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('mailbox', '0048_duty'),
    ]

    operations = [
        migrations.CreateModel(
            name='ArrivalRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.UUIDField(default=uuid.uuid4, editable=False)),
                ('position', models.PositiveIntegerField()),
                ('name', models.CharField(max_length=60)),
                ('is_enabled', models.BooleanField(default=True)),
                ('stops', models.BooleanField(default=False, help_text='no later rule looks at a message that it matches')),
                ('conditions', transport.storage.encryption.fields.EncryptedJSONField(default=dict)),
                ('actions', models.JSONField(default=dict, help_text='no content: keys of rows, numbers')),
                ('revision', models.PositiveIntegerField(default=1, help_text='which a second administrator confirms')),
                ('is_move_confirmed', models.BooleanField(default=False, help_text='whether it may move messages to the mailbox that its actions name')),
                ('failure_count', models.PositiveIntegerField(default=0, help_text='messages, since it was last changed')),
                ('last_failure', models.CharField(blank=True, choices=[('label-gone', 'Label Gone'), ('not-a-member', 'Not A Member'), ('target-closed', 'Target Closed'), ('unreadable', 'Unreadable'), ('unexpected', 'Unexpected')], max_length=16)),
                ('last_failed_at', models.DateTimeField(null=True)),
                ('mailbox', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='arrival_rules', to='mailbox.functionmailbox')),
            ],
            options={
                'ordering': ['position', 'id'],
            },
        ),
        migrations.CreateModel(
            name='ArrivalRuleList',
            fields=[
                ('mailbox', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='arrival_rule_list', serialize=False, to='mailbox.functionmailbox')),
                ('version', models.PositiveIntegerField(default=0)),
            ],
        ),
        migrations.AddField(
            model_name='conversationevent',
            name='rule_name',
            field=models.CharField(blank=True, db_default='', default='', help_text='the rule on arrival that did it, as it was called then', max_length=60),
        ),
        migrations.AlterField(
            model_name='conversationevent',
            name='what',
            field=models.CharField(choices=[('opened', 'Opened'), ('taken', 'Taken'), ('given-back', 'Given Back'), ('due', 'Due'), ('left', 'Left'), ('offered', 'Offered'), ('accepted', 'Accepted'), ('declined', 'Declined'), ('withdrawn', 'Withdrawn'), ('answered', 'Answered'), ('done', 'Done'), ('reopened', 'Reopened'), ('trashed', 'Trashed'), ('arrived', 'Arrived'), ('remind', 'Remind'), ('brought-up', 'Brought Up'), ('noted', 'Noted'), ('note-removed', 'Note Removed'), ('labelled', 'Labelled'), ('unlabelled', 'Unlabelled'), ('priority', 'Prioritised'), ('no-priority', 'Priority Removed'), ('undone', 'Undone'), ('undelivered', 'Undelivered'), ('overdue', 'Overdue'), ('cancelled', 'Cancelled'), ('sent-again', 'Sent Again'), ('stood-in', 'Stood In'), ('held', 'Retention Hold'), ('released', 'Released'), ('registered', 'Registered'), ('minor', 'Of Minor Importance'), ('corrected', 'Registration Corrected'), ('deregistered', 'Registration Withdrawn'), ('rule-moved', 'Moved By Rule'), ('rule-notice', 'Notified By Rule')], max_length=12),
        ),
        migrations.AlterField(
            model_name='redirection',
            name='kind',
            field=models.CharField(choices=[('close-function', 'Close Function'), ('catch-all', 'Catch All'), ('open-mailbox', 'Open Mailbox'), ('close-mailbox', 'Close Mailbox'), ('route', 'Route'), ('arrival-rule', 'Arrival Rule')], max_length=20),
        ),
        migrations.CreateModel(
            name='ArrivalTurn',
            fields=[
                ('rule', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='turn', serialize=False, to='mailbox.arrivalrule')),
                ('person_id', models.BigIntegerField(default=0, help_text='the key of the person; 0 before the first turn')),
            ],
        ),
        migrations.CreateModel(
            name='ArrivalNotice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('made_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('told_at', models.DateTimeField(help_text='when the notice was sent', null=True)),
                ('mailbox', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='mailbox.functionmailbox')),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'indexes': [models.Index(fields=['told_at'], name='arrival_notice_told')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('told_at', None)), fields=('mailbox', 'person'), name='arrival_notice_once')],
            },
        ),
        migrations.AddIndex(
            model_name='arrivalrule',
            index=models.Index(fields=['mailbox', 'position', 'id'], name='arrival_rule_in_order'),
        ),
    ]
