from django.db import migrations, models


class Migration(migrations.Migration):
    """Plain names in the code; the columns keep theirs, so nothing changes in the database."""

    dependencies = [("message_service", "0010_every_wrapped_key")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameField("incomingmessage", "came_from", "sent_as"),
                migrations.AlterField(
                    "incomingmessage",
                    "sent_as",
                    models.ForeignKey(
                        blank=True,
                        db_column="came_from_id",
                        help_text="the sender's row, where the message was delivered locally",
                        null=True,
                        on_delete=models.deletion.PROTECT,
                        related_name="arrivals",
                        to="message_service.outgoingmessage",
                    ),
                ),
                migrations.RenameField("incomingmessage", "holds_key", "owns_session_key"),
                migrations.AlterField(
                    "incomingmessage",
                    "owns_session_key",
                    models.BooleanField(
                        db_column="holds_key",
                        db_default=False,
                        default=False,
                        help_text="what was decrypted names the envelope's signer: the session key is this message's",
                    ),
                ),
                migrations.RenameField("incomingmessage", "refused_by", "rejection_ordered_by"),
                migrations.AlterField(
                    "incomingmessage",
                    "rejection_ordered_by",
                    models.CharField(
                        blank=True,
                        db_column="refused_by",
                        db_default="",
                        default="",
                        help_text="who has ordered that it be rejected",
                        max_length=200,
                    ),
                ),
            ]
        ),
        migrations.AlterField(
            model_name='incomingmessage',
            name='attempts',
            field=models.PositiveIntegerField(default=0, help_text='how often it has been claimed'),
        ),
        migrations.AlterField(
            model_name='incomingmessage',
            name='envelope_name',
            field=models.CharField(blank=True, db_default='', default='', help_text='of a message that was delivered locally', max_length=300),
        ),
        migrations.AlterField(
            model_name='incomingmessage',
            name='failures',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='how often validation ended in an unforeseen error'),
        ),
        migrations.AlterField(
            model_name='incomingmessage',
            name='is_accepted',
            field=models.BooleanField(help_text='None: not validated yet, or a receipt', null=True),
        ),
        migrations.AlterField(
            model_name='outgoingmessage',
            name='attempts',
            field=models.PositiveIntegerField(default=0, help_text='how often it has been claimed'),
        ),
    ]
