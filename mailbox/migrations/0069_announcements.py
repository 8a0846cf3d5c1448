"""Announcements of changes, for processes that did not hear the notification."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('mailbox', '0068_saml_logins'),
    ]

    operations = [
        migrations.CreateModel(
            name='Announcement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('payload', models.CharField(max_length=40)),
                ('transaction_number', models.BigIntegerField(help_text="of the transaction that announced it")),
                ('announced_at', models.DateTimeField(db_index=True)),
            ],
        ),
    ]
