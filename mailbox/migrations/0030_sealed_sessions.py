from django.db import migrations, models


def end_all(apps, _):
    """Sessions were stored in the clear, with ID tokens in them: they are erased, and people log in again."""
    apps.get_model("sessions", "Session").objects.all().delete()
    apps.get_model("mailbox", "LoginSession").objects.all().delete()


class Migration(migrations.Migration):

    dependencies = [
        ('mailbox', '0029_search_statistics_of_notes_and_drafts'),
        ('sessions', '0001_initial'),
    ]

    operations = [
        migrations.RunPython(end_all, end_all),
        migrations.AlterField(
            model_name='loginsession',
            name='session_key',
            field=models.CharField(help_text='what the table of sessions holds of the key: a hash', max_length=40, unique=True),
        ),
        migrations.AddField(
            model_name='loginsession',
            name='issued_at',
            field=models.DateTimeField(help_text="`iat`, by the provider's clock", null=True),
        ),
        migrations.CreateModel(
            name='UsedLogoutToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('jti_hash', models.CharField(max_length=64, unique=True)),
                ('forgotten_at', models.DateTimeField(db_index=True)),
            ],
        ),
    ]
