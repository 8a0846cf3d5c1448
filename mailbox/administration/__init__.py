"""The work of administrators, managers of mailboxes and auditors."""
