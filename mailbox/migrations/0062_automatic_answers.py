
"""Automatic answers outside staffed hours, and the mark of messages that are some."""

import django.contrib.postgres.functions
import django.db.models.deletion
import transport.storage.encryption.fields
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('mailbox', '0059_approval_before_sending'),
    ]

    operations = [
        migrations.AddField(
            model_name='message',
            name='is_automatic',
            field=models.BooleanField(db_default=False, default=False, help_text='an automatic answer: ours, or what its sender has marked as one'),
        ),
        migrations.AlterField(
            model_name='conversationevent',
            name='what',
            field=models.CharField(choices=[('opened', 'Opened'), ('taken', 'Taken'), ('given-back', 'Given Back'), ('due', 'Due'), ('left', 'Left'), ('offered', 'Offered'), ('accepted', 'Accepted'), ('declined', 'Declined'), ('withdrawn', 'Withdrawn'), ('answered', 'Answered'), ('done', 'Done'), ('reopened', 'Reopened'), ('trashed', 'Trashed'), ('arrived', 'Arrived'), ('remind', 'Remind'), ('brought-up', 'Brought Up'), ('noted', 'Noted'), ('note-removed', 'Note Removed'), ('labelled', 'Labelled'), ('unlabelled', 'Unlabelled'), ('priority', 'Prioritised'), ('no-priority', 'Priority Removed'), ('undone', 'Undone'), ('undelivered', 'Undelivered'), ('overdue', 'Overdue'), ('cancelled', 'Cancelled'), ('sent-again', 'Sent Again'), ('stood-in', 'Stood In'), ('held', 'Retention Hold'), ('released', 'Released'), ('registered', 'Registered'), ('minor', 'Of Minor Importance'), ('corrected', 'Registration Corrected'), ('deregistered', 'Registration Withdrawn'), ('rule-moved', 'Moved By Rule'), ('rule-notice', 'Notified By Rule'), ('case-ordered', 'Case Ordered'), ('case-handed', 'Case Delivered'), ('case-ack', 'Case Acknowledged'), ('case-refused', 'Case Refused'), ('case-failed', 'Case Failed'), ('case-undone', 'Case Withdrawn'), ('protected', 'Protected'), ('named', 'Named Members Changed'), ('unprotected', 'Protection Removed'), ('mgr-opened', 'Opened By Manager'), ('appr-asked', 'Approval Asked'), ('approved', 'Approved'), ('appr-back', 'Approval Returned'), ('appr-undone', 'Approval Withdrawn'), ('appr-ended', 'Approval Ended'), ('auto-answer', 'Answered Automatically')], max_length=12),
        ),
        migrations.CreateModel(
            name='AutomaticAnswerGuard',
            fields=[
                ('participant_id', models.CharField(max_length=260, primary_key=True, serialize=False)),
                ('stopped_at', models.DateTimeField(blank=True, null=True)),
                ('told_at', models.DateTimeField(blank=True, help_text='when administrators got a mail of it', null=True)),
                ('resumed_at', models.DateTimeField(blank=True, null=True)),
                ('resumed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='AutomaticAnswerSetting',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.UUIDField(db_default=django.contrib.postgres.functions.RandomUUID(), default=uuid.uuid4, editable=False)),
                ('mode', models.CharField(blank=True, choices=[('', 'Off'), ('hours', 'Outside Hours'), ('days', 'Days')], default='', max_length=5)),
                ('text', transport.storage.encryption.fields.EncryptedTextField(blank=True)),
                ('first_day', models.DateField(blank=True, null=True)),
                ('last_day', models.DateField(blank=True, null=True)),
                ('changed_at', models.DateTimeField()),
                ('changed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('mailbox', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='automatic_answer_setting', to='mailbox.functionmailbox')),
            ],
        ),
        migrations.CreateModel(
            name='AutomaticAnswer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('due_at', models.DateTimeField(blank=True, null=True)),
                ('attempts', models.PositiveIntegerField(default=0, help_text='how often it has been claimed')),
                ('lease', models.UUIDField(blank=True, null=True)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('participant_id', models.CharField(help_text="the mailbox's organisation", max_length=260)),
                ('counterpart_participant', models.CharField(max_length=260)),
                ('counterpart_address', models.TextField(help_text="as long as the other side's is")),
                ('ordered_at', models.DateTimeField()),
                ('outcome', models.CharField(blank=True, choices=[('', 'Waiting'), ('sent', 'Sent'), ('off', 'Switched Off'), ('staffed', 'Staffed'), ('handled', 'Handled'), ('moved', 'Moved'), ('too-old', 'Too Old'), ('limit', 'Counterpart Limit'), ('stopped', 'Stopped'), ('failed', 'Failed')], default='', max_length=8)),
                ('settled_at', models.DateTimeField(blank=True, null=True)),
                ('answers', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='mailbox.message')),
                ('conversation', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='automatic_answer', to='mailbox.conversation')),
                ('mailbox', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='mailbox.functionmailbox')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('due_at__isnull', False)), fields=['due_at'], name='automatic_answer_due'), models.Index(fields=['participant_id', 'settled_at'], name='automatic_answer_settled')],
            },
        ),
    ]
