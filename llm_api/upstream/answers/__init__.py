"""Parses what an upstream answers, whole or streamed."""
