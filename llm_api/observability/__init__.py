"""Logs: JSON lines (`logging`), and the queue to standard error (`log_queue`)."""
