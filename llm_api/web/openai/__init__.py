"""The OpenAI dialect, under `/v1`: what the OpenAI SDKs send and expect."""
