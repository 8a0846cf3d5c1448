"""A draft has an owner and earlier versions; answering assigns."""

import uuid

import django.contrib.postgres.functions
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import transport.storage.encryption.fields


class Migration(migrations.Migration):
    dependencies = [("mailbox", "0035_due_dates_in_history")]

    operations = [
        migrations.AddField(
            "draft",
            "owner",
            models.ForeignKey(
                help_text="who writes in it",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            "draft",
            "taken_over_at",
            models.DateTimeField(blank=True, help_text="when its owner took it over", null=True),
        ),
        migrations.AddField(
            "draft",
            "is_untouched",
            models.BooleanField(
                db_default=False,
                default=False,
                help_text="only looked at, nothing written yet: nobody else sees it, and it is removed by itself",
            ),
        ),
        migrations.AlterField(
            "draft",
            "forwards",
            models.ForeignKey(
                blank=True,
                help_text="what it forwards",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="mailbox.message",
            ),
        ),
        migrations.AddField(
            "writingchoices",
            "assigns_on_answer",
            models.BooleanField(
                db_default=True,
                default=True,
                help_text="whoever answers a conversation that nobody is responsible for becomes its assignee",
            ),
        ),
        migrations.AlterField(
            "writingchoices",
            "undo_seconds",
            models.PositiveSmallIntegerField(
                blank=True, help_text="0 sends at once; empty means the node's own", null=True
            ),
        ),
        migrations.CreateModel(
            name="DraftVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                (
                    "key",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(),
                        default=uuid.uuid4,
                        editable=False,
                    ),
                ),
                (
                    "content",
                    transport.storage.encryption.fields.EncryptedJSONField(
                        db_default={}, default=dict, help_text="{field: value} of what a person writes"
                    ),
                ),
                ("written_at", models.DateTimeField(help_text="when it was last changed")),
                (
                    "draft",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="versions", to="mailbox.draft"
                    ),
                ),
                (
                    "written_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ["-pk"]},
        ),
    ]
