"""Traces for OpenTelemetry: `traces` is their door, which loads the rest where it is wanted."""
