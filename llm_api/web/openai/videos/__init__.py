"""Films as OpenAI's SDKs ask for them."""
