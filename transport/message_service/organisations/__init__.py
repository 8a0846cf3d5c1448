"""An organisation's keys and certificates."""
