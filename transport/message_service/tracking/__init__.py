"""Tracking of messages after they were ordered: delivery, deadlines, evidence, sending again, dead
letters."""
