"""What the process does beside requests: deadlines, drain, native threads, file limits."""
