"""The access point: AS4 in and out, duplicates, and the log of transfers (C3.2.1, C3.4.6).

It knows envelopes as files with addresses on them. What they hold is the message service's matter,
which it meets in `transport.access_point_port` only.
"""
