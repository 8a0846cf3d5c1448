"""Members who read, and change nothing. No column changes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mailbox", "0054_index_of_protected_conversations")]

    operations = [
        migrations.AlterField(
            model_name="membership",
            name="role",
            field=models.CharField(
                choices=[("reader", "Reader"), ("member", "Member"), ("manager", "Manager")],
                default="member",
                max_length=20,
            ),
        ),
    ]
