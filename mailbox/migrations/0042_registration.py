"""Registrations of messages, and what a mailbox demands of them."""

import django.contrib.postgres.functions
import django.db.models.deletion
import transport.storage.encryption.fields
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('mailbox', '0041_answers_to_function_addresses_of_any_length'),
    ]

    operations = [
        migrations.CreateModel(
            name='RegisteredMessage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('is_current', models.BooleanField(default=True)),
            ],
        ),
        migrations.CreateModel(
            name='Registration',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.UUIDField(db_default=django.contrib.postgres.functions.RandomUUID(), default=uuid.uuid4, editable=False)),
                ('kind', models.CharField(choices=[('case', 'Case'), ('minor', 'Minor')], max_length=5)),
                ('case_number', transport.storage.encryption.fields.EncryptedTextField(blank=True, max_length=60)),
                ('reason', transport.storage.encryption.fields.EncryptedTextField(blank=True, help_text='why it is of minor importance')),
                ('retention_state', models.CharField(blank=True, choices=[('unhandled', 'Unhandled'), ('handled', 'Handled'), ('done', 'Done'), ('trash', 'Trash')], help_text='of the rule that it refers to', max_length=12)),
                ('retention_days', models.PositiveIntegerField(blank=True, help_text='what that rule said at the time', null=True)),
                ('retention_basis', transport.storage.encryption.fields.EncryptedTextField(blank=True, help_text='a decision outside the node that it refers to')),
                ('at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('outcome', models.CharField(blank=True, choices=[('corrected', 'Corrected'), ('withdrawn', 'Withdrawn')], max_length=9)),
                ('end_reason', transport.storage.encryption.fields.EncryptedTextField(blank=True)),
            ],
            options={
                'ordering': ['at', 'id'],
            },
        ),
        migrations.AddField(
            model_name='conversation',
            name='registration_state',
            field=models.CharField(blank=True, choices=[('', 'None'), ('pending', 'Pending'), ('registered', 'Registered'), ('minor', 'Minor')], db_default='', default='', help_text='of its messages together: pending while one of them is not registered', max_length=10),
        ),
        migrations.AddField(
            model_name='functionmailbox',
            name='case_number_pattern',
            field=models.CharField(blank=True, db_default='', default='', help_text='the form of its case numbers', max_length=100),
        ),
        migrations.AddField(
            model_name='functionmailbox',
            name='registration_mode',
            field=models.CharField(blank=True, choices=[('', 'Optional'), ('tracked', 'Tracked'), ('required', 'Required')], db_default='', default='', help_text='whether messages that are not registered are listed, or keep a conversation from done', max_length=8),
        ),
        migrations.AlterField(
            model_name='conversationevent',
            name='what',
            field=models.CharField(choices=[('opened', 'Opened'), ('taken', 'Taken'), ('given-back', 'Given Back'), ('due', 'Due'), ('left', 'Left'), ('offered', 'Offered'), ('accepted', 'Accepted'), ('declined', 'Declined'), ('withdrawn', 'Withdrawn'), ('answered', 'Answered'), ('done', 'Done'), ('reopened', 'Reopened'), ('trashed', 'Trashed'), ('arrived', 'Arrived'), ('remind', 'Remind'), ('brought-up', 'Brought Up'), ('noted', 'Noted'), ('note-removed', 'Note Removed'), ('labelled', 'Labelled'), ('unlabelled', 'Unlabelled'), ('priority', 'Prioritised'), ('no-priority', 'Priority Removed'), ('undone', 'Undone'), ('undelivered', 'Undelivered'), ('overdue', 'Overdue'), ('cancelled', 'Cancelled'), ('sent-again', 'Sent Again'), ('stood-in', 'Stood In'), ('held', 'Retention Hold'), ('released', 'Released'), ('registered', 'Registered'), ('minor', 'Of Minor Importance'), ('corrected', 'Registration Corrected'), ('deregistered', 'Registration Withdrawn')], max_length=12),
        ),
        migrations.AddField(
            model_name='registeredmessage',
            name='message',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='registrations', to='mailbox.message'),
        ),
        migrations.AddField(
            model_name='registration',
            name='by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='registration',
            name='conversation',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='registrations', to='mailbox.conversation'),
        ),
        migrations.AddField(
            model_name='registration',
            name='ended_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='registration',
            name='replaces',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='replaced_by', to='mailbox.registration'),
        ),
        migrations.AddField(
            model_name='registeredmessage',
            name='registration',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='covered', to='mailbox.registration'),
        ),
        migrations.AddIndex(
            model_name='registration',
            index=models.Index(fields=['conversation', 'at', 'id'], name='registration_in_order'),
        ),
        migrations.AddConstraint(
            model_name='registeredmessage',
            constraint=models.UniqueConstraint(condition=models.Q(('is_current', True)), fields=('message',), name='registered_once'),
        ),
    ]
