"""Whether a conversation's latest sent message has not been delivered is stored with it: lists and counters
looked through all open conversations for it."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import Case, OuterRef, Q, Subquery, When

_NOT_DELIVERED = Q(delivery_state__in=("ERROR", "MESSAGE_EXCHANGE_ERROR", "REJECTED")) | Q(is_receipt_missing=True)


def store(apps, schema_editor):
    Conversation = apps.get_model("mailbox", "Conversation")
    Message = apps.get_model("mailbox", "Message")
    latest = Message.objects.filter(conversation=OuterRef("pk"), direction="out").order_by("-at", "-pk")
    latest = latest.annotate(is_concern=Case(When(_NOT_DELIVERED, then=True), default=False))
    # Few messages have failed, and an index has them.
    concerned = Message.objects.filter(_NOT_DELIVERED, direction="out").values("conversation")
    Conversation.objects.filter(pk__in=concerned).update(
        is_not_delivered=Subquery(latest.values("is_concern")[:1])
    )


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("mailbox", "0043_index_of_what_is_not_registered"),
    ]

    operations = [
        migrations.AddField(
            model_name="conversation",
            name="is_not_delivered",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="the latest sent message has failed, or a receipt for it is overdue",
            ),
        ),
        migrations.RunPython(store, migrations.RunPython.noop),
        AddIndexConcurrently(
            model_name="conversation",
            index=models.Index(
                condition=Q(is_not_delivered=True),
                fields=["mailbox", "-last_activity_at", "-id"],
                name="conversation_not_delivered",
            ),
        ),
        # Of a new column the server knows nothing until it has looked.
        migrations.RunSQL("ANALYZE mailbox_conversation (is_not_delivered)", migrations.RunSQL.noop),
        # Nothing else asked for failed messages.
        RemoveIndexConcurrently(model_name="message", name="message_failed"),
    ]
