from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # The index is built while messages go on arriving.
    atomic = False

    dependencies = [("message_service", "0005_sealed_causes")]

    operations = [
        migrations.AddField(
            model_name="incomingmessage",
            name="wrapped_key_digest",
            field=models.CharField(
                blank=True, db_default="", default="", help_text="of the session key as it came", max_length=64
            ),
        ),
        AddIndexConcurrently(
            model_name="incomingmessage",
            index=models.Index(
                condition=models.Q(("is_accepted", True), models.Q(("wrapped_key_digest", ""), _negated=True)),
                fields=["organisation", "wrapped_key_digest"],
                name="incoming_wrapped_key",
            ),
        ),
    ]
