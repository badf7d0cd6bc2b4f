"""Answers of upstreams that have OpenAI's Responses API themselves, whole and as streams."""
