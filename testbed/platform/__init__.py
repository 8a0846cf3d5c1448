"""The federation's test cases for platform approval (C2.1.4.4.2), run against an access point.

`bench` is the testbed's side: its own participants and access points, found by dynamic discovery like all
others. `cases` holds the test cases by their numbers; `protocol` writes the results.
"""
