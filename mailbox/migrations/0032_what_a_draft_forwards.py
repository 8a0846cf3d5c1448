import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('mailbox', '0031_redirections'),
    ]

    operations = [
        migrations.AddField(
            model_name='draft',
            name='forwards',
            field=models.ForeignKey(blank=True, help_text='what it was begun with', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='mailbox.message'),
        ),
    ]
