"""Other suppliers' message services, used by their API (B1.4.2): functions of ours are sent for and received
by them.

The API that this node serves itself is `transport/message_api/`; the objects of the contract are read and
written by the same code.
"""
