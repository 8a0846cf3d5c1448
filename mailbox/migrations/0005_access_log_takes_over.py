from django.db import migrations

from mailbox.access_log import digest_of


def take_over(apps, schema_editor):
    """What administrators did before there was a chain becomes its beginning."""
    event_model = apps.get_model("mailbox", "AdministrativeEvent")
    entry_model = apps.get_model("mailbox", "AccessLogEntry")
    head_model = apps.get_model("mailbox", "AccessLogHead")
    heads = {}
    for event in event_model.objects.order_by("participant_id", "at", "pk").iterator():
        number, digest = heads.get(event.participant_id, (0, ""))
        entry = entry_model(
            participant_id=event.participant_id,
            number=number + 1,
            at=event.at,
            actor_id=event.actor_id,
            what=event.what,
            mailbox_id=event.mailbox_id,
            person_id=event.person_id,
            previous=digest,
        )
        entry.digest = digest_of(entry)
        entry.save()
        heads[event.participant_id] = (entry.number, entry.digest)
    for participant_id, (number, digest) in heads.items():
        head_model.objects.create(participant_id=participant_id, number=number, digest=digest)


class Migration(migrations.Migration):

    dependencies = [
        ('mailbox', '0004_search_and_access_log'),
    ]

    operations = [
        migrations.RunPython(take_over, migrations.RunPython.noop),
        migrations.DeleteModel(
            name='AdministrativeEvent',
        ),
    ]
