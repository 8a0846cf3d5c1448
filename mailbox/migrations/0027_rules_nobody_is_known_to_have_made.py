from django.db import migrations, models


def look_for_makers(apps, _):
    """Rules from before it was noted who had made them: of whom the access log tells alone, or of nobody."""
    Entry = apps.get_model("mailbox", "AccessLogEntry")
    for rule in apps.get_model("mailbox", "MembershipRule").objects.filter(made_by=None):
        entries = Entry.objects.filter(
            mailbox=rule.mailbox_id,
            what__in=["rule-made", "rule-removed"],
            details__claim=rule.claim,
            details__value=rule.value,
        )
        makers = set()
        for what, maker in entries.order_by("number").values_list("what", "actor"):
            makers = {*makers, maker} if what == "rule-made" else set()
        makers.discard(None)
        if len(makers) > 1:
            continue
        rule.made_by_id = makers.pop() if makers else None
        rule.is_suspended = rule.made_by_id is None
        rule.save(update_fields=["made_by", "is_suspended"])


class Migration(migrations.Migration):

    dependencies = [
        ('mailbox', '0026_sent_again_and_held'),
    ]

    operations = [
        migrations.AddField(
            model_name='membershiprule',
            name='is_suspended',
            field=models.BooleanField(db_default=False, default=False, help_text='nobody knows who made it: it gives nothing until an administrator has confirmed it'),
        ),
        migrations.RunPython(look_for_makers, migrations.RunPython.noop),
    ]
