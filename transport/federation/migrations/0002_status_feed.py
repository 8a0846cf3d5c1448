from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("federation", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="StatusFeed",
            fields=[
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                (
                    "announcements",
                    models.JSONField(default=list, help_text="title, text, link and time of each"),
                ),
                ("read_at", models.DateTimeField(help_text="when the announcements were read", null=True)),
                ("tried_at", models.DateTimeField(null=True)),
                (
                    "error",
                    models.CharField(
                        blank=True, help_text="why the latest try failed, if it did", max_length=200
                    ),
                ),
            ],
        ),
    ]
