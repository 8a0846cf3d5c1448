"""The message service: an organisation's keys, sealing and opening, validation and its answers, deadlines.

Message clients use `sending.order`, `deliveries` and the protocol in `clients`. An access point is met
in `transport.access_point_port` only.
"""
