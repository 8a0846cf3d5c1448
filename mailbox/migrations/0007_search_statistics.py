from django.db import migrations

# How often a word stands decides whether the planner looks it up or walks from the newest message on; what
# it knows of the 1,000 most common (its default) is too little to tell a rare word from a common one.
KNOW_MORE = "ALTER TABLE mailbox_searchentry ALTER COLUMN words SET STATISTICS 1000"
KNOW_AS_MUCH = "ALTER TABLE mailbox_searchentry ALTER COLUMN words SET STATISTICS -1"


class Migration(migrations.Migration):

    dependencies = [
        ('mailbox', '0006_roles'),
    ]

    operations = [
        migrations.RunSQL(KNOW_MORE, KNOW_AS_MUCH),
    ]
