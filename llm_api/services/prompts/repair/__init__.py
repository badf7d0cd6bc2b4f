"""Repairs rewrites by code, where that makes no nonsense.

`repairer` is the door: it takes steps and has what came of them judged. `dropping` takes out what
was added, `restoring` puts back what is missing, `quotations` the quoted texts. `sentences` takes a
text apart; the sentences of ours are in `sentences.toml`.
"""
