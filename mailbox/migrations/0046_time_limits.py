"""Service levels of mailboxes, and the time limits of conversations that follow from them."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('mailbox', '0045_staffed_hours'),
    ]

    operations = [
        migrations.CreateModel(
            name='ServiceLevels',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('opened_within_hours', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('answered_within_hours', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('done_within_hours', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('recompute_since', models.DateTimeField(blank=True, db_index=True, help_text='when the levels or hours were changed; running time limits are still those of before', null=True)),
            ],
        ),
        migrations.CreateModel(
            name='TimeLimit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('opened', 'Opened'), ('answered', 'Answered'), ('done', 'Done')], max_length=8)),
                ('began_at', models.DateTimeField()),
                ('limit_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.AddField(
            model_name='conversation',
            name='limit_at',
            field=models.DateTimeField(blank=True, help_text='the nearest of its time limits that run (`TimeLimit`)', null=True),
        ),
        migrations.AddField(
            model_name='conversation',
            name='limit_kind',
            field=models.CharField(blank=True, db_default='', default='', max_length=8),
        ),
        migrations.AddField(
            model_name='servicelevels',
            name='mailbox',
            field=models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='service_levels', to='mailbox.functionmailbox'),
        ),
        migrations.AddField(
            model_name='timelimit',
            name='conversation',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='time_limits', to='mailbox.conversation'),
        ),
        migrations.AddIndex(
            model_name='timelimit',
            index=models.Index(fields=['began_at'], name='time_limit_began'),
        ),
        migrations.AddConstraint(
            model_name='timelimit',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_at__isnull', True)), fields=('conversation', 'kind'), name='time_limit_runs_once'),
        ),
    ]
