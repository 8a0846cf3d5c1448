"""Protected conversations: those that only named members of a mailbox see.

`acts` protects, names others and ends the protection, and lets a manager in with a reason; `shown` has what
pages show of it to those named, and to everybody else. What a person sees is decided by `mailbox.access`.
"""
