"""Pictures as OpenAI's SDKs ask for them."""
