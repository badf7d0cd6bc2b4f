"""Tests of making pictures."""
