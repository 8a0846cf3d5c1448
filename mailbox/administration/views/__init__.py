"""The pages of administration: for administrators of an organisation, managers of mailboxes, and auditors."""
