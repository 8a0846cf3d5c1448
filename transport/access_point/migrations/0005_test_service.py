from django.db import migrations, models

_KINDS = [
    ("SENT", "Sent"),
    ("DELIVERED", "Delivered"),
    ("RESENDING", "Resending"),
    ("FAILED", "Failed"),
    ("RECEIVED", "Received"),
    ("DUPLICATE", "Duplicate"),
    ("REFUSED", "Refused"),
    ("DISCARDED", "Discarded"),
    ("TESTED", "Tested"),
]


class Migration(migrations.Migration):
    dependencies = [("access_point", "0004_places")]

    operations = [
        migrations.AlterField(
            model_name="transferevent",
            name="kind",
            field=models.CharField(choices=_KINDS, max_length=10),
        ),
    ]
