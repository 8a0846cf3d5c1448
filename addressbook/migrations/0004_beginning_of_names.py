
import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('addressbook', '0003_personal'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='functionaddress',
            index=models.Index(django.contrib.postgres.indexes.OpClass(django.db.models.functions.text.Left('spelling', 100), name='text_pattern_ops'), models.F('id'), name='function_beginning'),
        ),
    ]
