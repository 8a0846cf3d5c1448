"""Warnings before the node's own certificates expire, by mail to operators and administrators.

Message service and access point list their certificates through sources that the settings name.
"""
