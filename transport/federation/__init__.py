"""Lookups in the federation, for message service and access point.

`lookup` finds participants by DNS and SMP, `trust` judges certificates, `http` is the one place that
fetches. It is no store of messages and knows no organisation of this node.
"""
