"""Directory services (SCIM 2.0): tokens, users, groups and the mailboxes that groups give."""

import django.db.models.deletion
import transport.storage.encryption.fields
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('mailbox', '0055_readers'),
    ]

    operations = [
        migrations.CreateModel(
            name='Directory',
            fields=[
                ('participant_id', models.CharField(max_length=260, primary_key=True, serialize=False)),
            ],
        ),
        migrations.CreateModel(
            name='DirectoryGroup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('participant_id', models.CharField(max_length=260)),
                ('key', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('attributes', transport.storage.encryption.fields.EncryptedJSONField(default=dict)),
                ('external_id_hash', models.CharField(blank=True, max_length=64)),
                ('display_name_hash', models.CharField(blank=True, max_length=64)),
                ('version', models.PositiveIntegerField(default=1)),
                ('made_at', models.DateTimeField()),
                ('changed_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.AddField(
            model_name='organisationlock',
            name='is_by_directory',
            field=models.BooleanField(db_default=False, default=False, help_text='a directory service locked them out, and may let them in'),
        ),
        migrations.CreateModel(
            name='DirectoryFailure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('participant_id', models.CharField(max_length=260)),
                ('hour', models.DateTimeField()),
                ('request', models.CharField(help_text='method and kind of resource, without any id', max_length=40)),
                ('reason', models.CharField(help_text='`scimType`, or the HTTP status', max_length=40)),
                ('count', models.PositiveIntegerField(default=1)),
                ('last_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['-last_at', '-id'],
                'constraints': [models.UniqueConstraint(fields=('participant_id', 'hour', 'request', 'reason'), name='directory_failure_once')],
            },
        ),
        migrations.CreateModel(
            name='DirectoryGroupMapping',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.CharField(choices=[('reader', 'Reader'), ('member', 'Member'), ('manager', 'Manager')], default='member', max_length=20)),
                ('made_at', models.DateTimeField(auto_now_add=True)),
                ('confirmed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('group', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='mappings', to='mailbox.directorygroup')),
                ('made_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('mailbox', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='directory_group_mappings', to='mailbox.functionmailbox')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.AddField(
            model_name='membership',
            name='directory_mapping',
            field=models.ForeignKey(blank=True, help_text='the group of a directory service that gave it, through its mapping', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to='mailbox.directorygroupmapping'),
        ),
        migrations.CreateModel(
            name='DirectoryToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('participant_id', models.CharField(db_index=True, max_length=260)),
                ('name', models.CharField(max_length=60)),
                ('token_hash', models.CharField(help_text='SHA-256: the token is random', max_length=64, unique=True)),
                ('made_at', models.DateTimeField(auto_now_add=True)),
                ('confirmed_at', models.DateTimeField(null=True)),
                ('ends_at', models.DateTimeField()),
                ('revoked_at', models.DateTimeField(null=True)),
                ('last_used_at', models.DateTimeField(help_text='to the minute', null=True)),
                ('confirmed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('made_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-made_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='DirectoryUser',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('participant_id', models.CharField(max_length=260)),
                ('key', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('attributes', transport.storage.encryption.fields.EncryptedJSONField(default=dict)),
                ('external_id_hash', models.CharField(blank=True, max_length=64)),
                ('display_name_hash', models.CharField(blank=True, max_length=64)),
                ('version', models.PositiveIntegerField(default=1)),
                ('made_at', models.DateTimeField()),
                ('changed_at', models.DateTimeField()),
                ('user_name_hash', models.CharField(max_length=64)),
                ('is_active', models.BooleanField(default=True)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='directory_users', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='DirectoryGroupMember',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('group', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='members', to='mailbox.directorygroup')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='group_memberships', to='mailbox.directoryuser')),
            ],
        ),
        migrations.AddField(
            model_name='directorygroup',
            name='users',
            field=models.ManyToManyField(related_name='groups', through='mailbox.DirectoryGroupMember', to='mailbox.directoryuser'),
        ),
        migrations.AddConstraint(
            model_name='directorygroupmapping',
            constraint=models.UniqueConstraint(fields=('group', 'mailbox'), name='directory_group_mapping_once'),
        ),
        migrations.AddIndex(
            model_name='directoryuser',
            index=models.Index(fields=['participant_id', 'external_id_hash'], name='directory_user_external'),
        ),
        migrations.AddConstraint(
            model_name='directoryuser',
            constraint=models.UniqueConstraint(fields=('participant_id', 'user_name_hash'), name='directory_user_name'),
        ),
        migrations.AddConstraint(
            model_name='directoryuser',
            constraint=models.UniqueConstraint(fields=('participant_id', 'person'), name='directory_user_person'),
        ),
        migrations.AddConstraint(
            model_name='directorygroupmember',
            constraint=models.UniqueConstraint(fields=('group', 'user'), name='directory_group_member_once'),
        ),
        migrations.AddIndex(
            model_name='directorygroup',
            index=models.Index(fields=['participant_id', 'external_id_hash'], name='directory_group_external'),
        ),
        migrations.AddIndex(
            model_name='directorygroup',
            index=models.Index(fields=['participant_id', 'display_name_hash'], name='directory_group_name'),
        ),
    ]
