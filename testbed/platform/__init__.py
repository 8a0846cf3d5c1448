"""The federation's test cases for access points (C2.1.4.4.2), run by the testbed against an access point.

`bench` is the testbed's side: its own participants and access points, found by dynamic discovery like any
other. `cases` are the test cases under their numbers, `protocol` writes what came of them.
"""
