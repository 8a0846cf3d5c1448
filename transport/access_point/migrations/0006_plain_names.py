from django.db import migrations, models


class Migration(migrations.Migration):
    """Plain names in the code; the columns keep theirs, so nothing changes in the database."""

    dependencies = [("access_point", "0005_test_service")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameField("outboundtransfer", "place", "slot"),
                migrations.AlterField(
                    "outboundtransfer",
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
            model_name='outboundtransfer',
            name='attempts',
            field=models.PositiveIntegerField(default=0, help_text='how often it has been claimed'),
        ),
        migrations.AlterField(
            model_name='outboundtransfer',
            name='reference',
            field=models.UUIDField(help_text="the message service's own", unique=True),
        ),
    ]
