"""HTTP to an upstream: connecting, sending, reading."""
