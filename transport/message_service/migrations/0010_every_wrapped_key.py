from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

_STATES = [
    ("ARRIVED", "Arrived"),
    ("RETRIEVED", "Retrieved"),
    ("RECEIPT_SENT", "Receipt Sent"),
    ("NEW", "New"),
    ("MESSAGE_EXCHANGE_ERROR", "Message Exchange Error"),
    ("ERROR", "Error"),
]


class Migration(migrations.Migration):
    # The indexes are built while messages go on arriving.
    atomic = False

    dependencies = [("message_service", "0009_inside")]

    operations = [
        migrations.AddField(
            model_name="incomingmessage",
            name="envelope_digest",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="of an envelope that was decrypted",
                max_length=64,
            ),
        ),
        migrations.AddField(
            model_name="incomingmessage",
            name="holds_key",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="what was decrypted names the envelope's signer: the session key is this message's",
            ),
        ),
        migrations.AddField(
            model_name="incomingmessage",
            name="failures",
            field=models.PositiveIntegerField(
                db_default=0,
                default=0,
                help_text="how often judging ended in an error that nobody foresaw",
            ),
        ),
        migrations.AddField(
            model_name="incomingmessage",
            name="refused_by",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="who has ordered that it be refused",
                max_length=200,
            ),
        ),
        migrations.AlterField(
            model_name="incomingmessage",
            name="state",
            field=models.CharField(choices=_STATES, default="ARRIVED", max_length=24),
        ),
        migrations.AlterField(
            model_name="outgoingmessage",
            name="handling_service_id",
            field=models.TextField(blank=True, help_text="as long as the recipient's address is"),
        ),
        migrations.AlterField(
            model_name="quarantinedfile",
            name="function_address",
            field=models.TextField(blank=True),
        ),
        AddIndexConcurrently(
            model_name="incomingmessage",
            index=models.Index(
                condition=models.Q(("wrapped_key_digest", ""), _negated=True),
                fields=["organisation", "wrapped_key_digest"],
                name="incoming_any_wrapped_key",
            ),
        ),
        RemoveIndexConcurrently(model_name="incomingmessage", name="incoming_wrapped_key"),
        AddIndexConcurrently(
            model_name="incomingmessage",
            index=models.Index(
                condition=models.Q(("state", "ERROR")),
                fields=["organisation", "arrived_at"],
                name="incoming_set_aside",
            ),
        ),
    ]
