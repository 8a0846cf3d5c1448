"""People on duty, who are told of what arrives outside staffed hours."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('mailbox', '0047_lists_by_time_limit'),
    ]

    operations = [
        migrations.CreateModel(
            name='DutyList',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('escalate_after_minutes', models.PositiveSmallIntegerField(default=30)),
                ('since', models.DateTimeField(help_text='what arrived before is told to nobody')),
                ('mailbox', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='duty_list', to='mailbox.functionmailbox')),
            ],
        ),
        migrations.CreateModel(
            name='DutyAlert',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('arrived_at', models.DateTimeField()),
                ('next_at', models.DateTimeField(help_text='when the next person is told')),
                ('told_count', models.PositiveSmallIntegerField(default=0)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('conversation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='duty_alerts', to='mailbox.conversation')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('ended_at__isnull', True)), fields=['conversation'], name='duty_alert_running')],
                'constraints': [models.UniqueConstraint(fields=('conversation', 'arrived_at'), name='duty_alert_once')],
            },
        ),
        migrations.CreateModel(
            name='DutyNotice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('mailbox', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='mailbox.functionmailbox')),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'indexes': [models.Index(fields=['person', 'at'], name='duty_notice_of_person')],
            },
        ),
        migrations.CreateModel(
            name='DutyPerson',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveSmallIntegerField()),
                ('duty_list', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='people', to='mailbox.dutylist')),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['position'],
                'constraints': [models.UniqueConstraint(fields=('duty_list', 'person'), name='on_duty_list_once')],
            },
        ),
    ]
