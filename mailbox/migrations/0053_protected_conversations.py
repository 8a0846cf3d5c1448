"""Protected conversations, and the members who see them."""

import django.db.models.deletion
import transport.storage.encryption.fields
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("mailbox", "0050_case_systems"),
    ]

    operations = [
        migrations.CreateModel(
            name="ProtectedOpening",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.UUIDField(default=uuid.uuid4, editable=False)),
                ("at", models.DateTimeField()),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("absence", "Absence"),
                            ("urgent", "Urgent"),
                            ("disclosure", "Disclosure"),
                            ("supervision", "Supervision"),
                            ("other", "Other"),
                        ],
                        max_length=12,
                    ),
                ),
                (
                    "explanation",
                    transport.storage.encryption.fields.EncryptedTextField(help_text="in their own words"),
                ),
            ],
            options={
                "ordering": ["at", "id"],
            },
        ),
        migrations.CreateModel(
            name="NamedMember",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("named_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="ProtectionNotice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("opened", "Opened"), ("abandoned", "Abandoned")], max_length=9
                    ),
                ),
                ("made_at", models.DateTimeField()),
                (
                    "told_at",
                    models.DateTimeField(blank=True, help_text="when a mail or push was sent", null=True),
                ),
            ],
        ),
        migrations.AddField(
            model_name="conversation",
            name="is_protected",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="only those of the mailbox's members see it who are named (`NamedMember`)",
            ),
        ),
        migrations.AlterField(
            model_name="conversationevent",
            name="what",
            field=models.CharField(
                choices=[
                    ("opened", "Opened"),
                    ("taken", "Taken"),
                    ("given-back", "Given Back"),
                    ("due", "Due"),
                    ("left", "Left"),
                    ("offered", "Offered"),
                    ("accepted", "Accepted"),
                    ("declined", "Declined"),
                    ("withdrawn", "Withdrawn"),
                    ("answered", "Answered"),
                    ("done", "Done"),
                    ("reopened", "Reopened"),
                    ("trashed", "Trashed"),
                    ("arrived", "Arrived"),
                    ("remind", "Remind"),
                    ("brought-up", "Brought Up"),
                    ("noted", "Noted"),
                    ("note-removed", "Note Removed"),
                    ("labelled", "Labelled"),
                    ("unlabelled", "Unlabelled"),
                    ("priority", "Prioritised"),
                    ("no-priority", "Priority Removed"),
                    ("undone", "Undone"),
                    ("undelivered", "Undelivered"),
                    ("overdue", "Overdue"),
                    ("cancelled", "Cancelled"),
                    ("sent-again", "Sent Again"),
                    ("stood-in", "Stood In"),
                    ("held", "Retention Hold"),
                    ("released", "Released"),
                    ("registered", "Registered"),
                    ("minor", "Of Minor Importance"),
                    ("corrected", "Registration Corrected"),
                    ("deregistered", "Registration Withdrawn"),
                    ("rule-moved", "Moved By Rule"),
                    ("rule-notice", "Notified By Rule"),
                    ("case-ordered", "Case Ordered"),
                    ("case-handed", "Case Delivered"),
                    ("case-ack", "Case Acknowledged"),
                    ("case-refused", "Case Refused"),
                    ("case-failed", "Case Failed"),
                    ("case-undone", "Case Withdrawn"),
                    ("protected", "Protected"),
                    ("named", "Named Members Changed"),
                    ("unprotected", "Protection Removed"),
                    ("mgr-opened", "Opened By Manager"),
                ],
                max_length=12,
            ),
        ),
        migrations.AddField(
            model_name="protectedopening",
            name="conversation",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="protected_openings",
                to="mailbox.conversation",
            ),
        ),
        migrations.AddField(
            model_name="protectedopening",
            name="person",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="namedmember",
            name="conversation",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="named_members",
                to="mailbox.conversation",
            ),
        ),
        migrations.AddField(
            model_name="namedmember",
            name="membership",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="named_members",
                to="mailbox.membership",
            ),
        ),
        migrations.AddField(
            model_name="namedmember",
            name="named_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="protectionnotice",
            name="conversation",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="mailbox.conversation"
            ),
        ),
        migrations.AddField(
            model_name="protectionnotice",
            name="person",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddConstraint(
            model_name="namedmember",
            constraint=models.UniqueConstraint(
                fields=("conversation", "membership"), name="named_member_once"
            ),
        ),
        migrations.AddIndex(
            model_name="protectionnotice",
            index=models.Index(
                condition=models.Q(("told_at__isnull", True)), fields=["id"], name="protection_notice_due"
            ),
        ),
    ]
