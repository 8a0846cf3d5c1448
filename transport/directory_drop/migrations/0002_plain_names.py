from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('directory_drop', '0001_first'),
    ]

    operations = [
        migrations.AlterField(
            model_name='droppedtransfer',
            name='attempts',
            field=models.PositiveIntegerField(default=0, help_text='how often it has been claimed'),
        ),
    ]
