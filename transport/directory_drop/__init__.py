"""An access point of another operator, reached through a directory: docs/directory-drop.md has the format.

Outbound envelopes are written to `out/`; their status is read from `status/`, and inbound envelopes from
`in/`. The other side, a gateway of the access point's operator, moves files between there and its access
point. Nothing here speaks AS4.
"""
