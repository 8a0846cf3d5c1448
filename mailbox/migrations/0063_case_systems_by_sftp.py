
"""Case systems that take packages from an SFTP server."""

import transport.storage.encryption.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('mailbox', '0062_automatic_answers'),
    ]

    operations = [
        migrations.AddField(
            model_name='casesystem',
            name='host_key_changed_at',
            field=models.DateTimeField(blank=True, help_text='since when the server shows another key than the known one', null=True),
        ),
        migrations.AddField(
            model_name='casesystem',
            name='polled_at',
            field=models.DateTimeField(blank=True, help_text='when receipts were fetched last', null=True),
        ),
        migrations.AddField(
            model_name='casesystem',
            name='sftp_address',
            field=models.CharField(blank=True, db_default='', default='', help_text='sftp://user@host:port/directory', max_length=500),
        ),
        migrations.AddField(
            model_name='casesystem',
            name='sftp_host_key',
            field=models.TextField(blank=True, db_default='', default='', help_text="the server's public key, which an administrator has compared: no other is spoken to"),
        ),
        migrations.AddField(
            model_name='casesystem',
            name='sftp_private_key',
            field=transport.storage.encryption.fields.EncryptedTextField(blank=True, db_default='', default=''),
        ),
        migrations.AddField(
            model_name='casesystem',
            name='sftp_public_key',
            field=models.TextField(blank=True, db_default='', default='', help_text='ours, which the server lets in'),
        ),
        migrations.AlterField(
            model_name='casedelivery',
            name='cause',
            field=models.CharField(blank=True, choices=[('paused', 'Paused'), ('not-allowed', 'Not Allowed'), ('not-registered', 'Not Registered'), ('reopened', 'Reopened'), ('protected', 'Protected'), ('package', 'Package'), ('directory', 'Directory'), ('address', 'Address'), ('no-answer', 'No Answer'), ('host-key', 'Host Key'), ('login', 'Login'), ('refused-notice', 'Refused Notice'), ('refused', 'Refused'), ('unexpected', 'Unexpected')], max_length=16),
        ),
        migrations.AlterField(
            model_name='casesystem',
            name='kind',
            field=models.CharField(choices=[('directory', 'Directory'), ('webhook', 'Webhook'), ('sftp', 'Sftp')], max_length=9),
        ),
    ]
