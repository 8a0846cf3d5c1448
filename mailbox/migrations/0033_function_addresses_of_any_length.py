from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mailbox", "0032_what_a_draft_forwards")]

    operations = [
        migrations.AlterField(
            model_name="message",
            name="counterpart_address",
            field=models.TextField(blank=True, help_text="as long as the other side's is"),
        ),
        migrations.AlterField(
            model_name="message",
            name="for_address",
            field=models.TextField(
                blank=True,
                db_default="",
                default="",
                help_text="the function address that it was for, where another function stood in for it",
            ),
        ),
    ]
