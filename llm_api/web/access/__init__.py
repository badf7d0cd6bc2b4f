"""Who may call and how often: API keys and rate limits, checked before a view."""
