"""Retry policy, retry budget, circuit breaker and concurrency limit."""
