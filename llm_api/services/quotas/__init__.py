"""Rate limits, concurrency limits and budgets."""
