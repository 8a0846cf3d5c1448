"""What is known of messages after they were ordered: delivery, deadlines, evidence, sending again."""
