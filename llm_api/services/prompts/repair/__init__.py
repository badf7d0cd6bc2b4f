"""Repairs rewrites by code, where that makes no nonsense.

`repairer` is the entry: it applies the steps and validates the outcome of each. `removal` takes out
what was added, `restoration` puts back what is missing unless it `conflicts`, `quotations` restores
quoted texts. `sentences` splits and cuts texts; our own sentences are in `sentences.toml`.
"""
