"""From the message service to the mailbox and back: arrivals, delivery status, sending again."""
