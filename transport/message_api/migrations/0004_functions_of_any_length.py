from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("message_api", "0003_places")]

    operations = [
        migrations.AlterField(
            model_name="heldmessage",
            name="own_function",
            field=models.TextField(help_text="the organisation's own, sender's or recipient's"),
        ),
        migrations.AlterField(
            model_name="heldmessage",
            name="sender_function",
            field=models.TextField(blank=True),
        ),
        migrations.AlterField(
            model_name="heldmessage",
            name="recipient_function",
            field=models.TextField(blank=True),
        ),
    ]
