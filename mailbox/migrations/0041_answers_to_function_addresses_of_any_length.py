from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mailbox", "0040_saved_views")]

    operations = [
        migrations.AlterField(
            model_name="draft",
            name="recipient_address",
            field=models.TextField(
                blank=True, help_text="the function address: as long as that of the message which it answers"
            ),
        ),
    ]
