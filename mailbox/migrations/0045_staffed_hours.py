"""Staffed hours of mailboxes and, by default, of organisations."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('mailbox', '0044_not_delivered'),
    ]

    operations = [
        migrations.CreateModel(
            name='StaffedHours',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('participant_id', models.CharField(max_length=260)),
                ('week', models.JSONField(default=list, help_text='seven lists, Monday first, of hours in minutes after midnight')),
                ('is_closed_on_holidays', models.BooleanField(db_default=True, default=True)),
                ('day_before_ends', models.PositiveSmallIntegerField(blank=True, help_text='when a day before a public holiday ends, in minutes after midnight; empty as other days', null=True)),
                ('mailbox', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='staffed_hours', to='mailbox.functionmailbox')),
            ],
        ),
        migrations.CreateModel(
            name='StaffedHoursException',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('hours', models.JSONField(default=list, help_text='hours in minutes after midnight; empty is closed')),
                ('note', models.CharField(blank=True, max_length=100)),
                ('staffed_hours', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='exceptions', to='mailbox.staffedhours')),
            ],
            options={
                'ordering': ['day'],
            },
        ),
        migrations.AddConstraint(
            model_name='staffedhours',
            constraint=models.UniqueConstraint(condition=models.Q(('mailbox__isnull', True)), fields=('participant_id',), name='default_staffed_hours_once'),
        ),
        migrations.AddConstraint(
            model_name='staffedhoursexception',
            constraint=models.UniqueConstraint(fields=('staffed_hours', 'day'), name='staffed_hours_exception_once'),
        ),
    ]
