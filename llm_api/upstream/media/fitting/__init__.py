"""Puts requests for pictures into the terms of a model; `fitting` is where to begin."""
