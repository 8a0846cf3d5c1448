"""The API between message service and message client (B1.4.2), for message clients of other makers.

An external client sends, polls, fetches and deletes here; what has arrived for its functions is held sealed
until it deletes it. It meets the message service through that one's public functions only, and knows no
access point.
"""
