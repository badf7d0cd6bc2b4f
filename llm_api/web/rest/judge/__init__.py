"""`POST /api/v1/llm/score-image`."""
