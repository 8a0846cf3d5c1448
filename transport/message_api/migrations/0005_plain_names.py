from django.db import migrations, models


class Migration(migrations.Migration):
    """Plain names in the code; the columns keep theirs, so nothing changes in the database."""

    dependencies = [("message_api", "0004_functions_of_any_length")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameField("webhooknotice", "place", "slot"),
                migrations.AlterField(
                    "webhooknotice",
                    "slot",
                    models.UUIDField(
                        blank=True,
                        db_column="place",
                        help_text="the lease under which a slot at the counterpart was occupied",
                        null=True,
                    ),
                ),
            ]
        ),
        migrations.AlterField(
            model_name='webhooknotice',
            name='attempts',
            field=models.PositiveIntegerField(default=0, help_text='how often it has been claimed'),
        ),
    ]
