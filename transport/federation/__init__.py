"""Lookups in the federation, for message service and access point.

`lookup` finds participants by DNS and SMP, `trust` checks certificates, `http` makes all requests. The
package stores no messages and knows no organisation of this node.
"""
