"""How long the node's own certificates last: whoever holds some registers a source, and operators are told.

It knows neither message service nor access point; both tell it what they hold.
"""
