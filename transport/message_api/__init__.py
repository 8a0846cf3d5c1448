"""The API between message service and message client (B1.4.2), for external message clients.

External clients send, poll, fetch and delete messages here. Messages that arrive for their functions are
held, encrypted, until a client deletes them. The API calls the message service's public functions, and no
access point.
"""
