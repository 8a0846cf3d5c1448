"""Between message service and mailbox: arriving messages, delivery status, sending again."""
