"""One question a module: what the service costs, or how it behaves under load."""
