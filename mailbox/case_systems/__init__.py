"""Handing conversations over to case systems and e-archives.

A delivery is ordered in `mailbox.conversations.case_deliveries`. `deliveries` is its life: it is handed over,
tried again, acknowledged or withdrawn. `connector` is the interface of what speaks to a case system, with
`directory` and `webhook` behind it; `receipts` reads what case systems answer. `systems` sets them up.
docs/connectors.md is what the other side needs to know.
"""
