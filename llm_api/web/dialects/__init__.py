"""What the dialects of OpenAI and Anthropic have in common: asking a model, and what it answers."""
