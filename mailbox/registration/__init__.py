"""Registration: messages get a case number, or are found to be of minor importance.

`case_numbers` has the patterns of case numbers, `entries` the acts (register, correct, withdraw),
`mailbox_settings` what a mailbox demands, `shown` what lists and pages show. That a conversation is not done
before it is registered is checked where conversations are finished (`conversations.state_changes`).
"""
