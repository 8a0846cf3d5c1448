"""AS4 messages in the profile eDelivery AS4 1.15, narrowed by C3.2.1: bytes in, values out, and back.

`packing` writes user messages and `unpacking` reads them, both as streams; `signals` does receipts and
errors. What is sent when, and what is kept, belongs to the access point above.
"""
