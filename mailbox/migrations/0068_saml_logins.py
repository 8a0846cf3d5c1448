"""Logins by SAML 2.0: metadata, used assertions, answers on their way, and chosen assignments."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('mailbox', '0065_figures_of_departments'),
    ]

    operations = [
        migrations.CreateModel(
            name='PendingSamlLogin',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('ticket_hash', models.CharField(help_text='SHA-256: the ticket is random', max_length=64, unique=True)),
                ('sealed', models.TextField()),
                ('expires_at', models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name='SamlMetadata',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('address', models.CharField(max_length=500, unique=True)),
                ('document', models.TextField()),
                ('fetched_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='UsedAssertion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('assertion_hash', models.CharField(max_length=64, unique=True)),
                ('forgotten_at', models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name='RememberedAssignment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('assignment_hash', models.CharField(help_text='keyed hash of the assignment', max_length=64)),
                ('chosen_at', models.DateTimeField()),
                ('person', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
    ]
