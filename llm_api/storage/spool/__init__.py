"""The durable queue in front of the usage store."""
