"""Timestamps in JSON: RFC 3339 in UTC, to the second."""

from datetime import datetime


def utc_text(moment: datetime) -> str:
    """Write a time in UTC, such as `2026-11-22T12:30:15Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
