"""What people can say to Wenk, and what time does: parse, authorise, act, answer."""
