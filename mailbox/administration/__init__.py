"""What administrators, managers of mailboxes and auditors look after."""
