"""Anthropic's dialect, `/v1/messages`: what the Anthropic SDKs and Claude Code send and expect."""
