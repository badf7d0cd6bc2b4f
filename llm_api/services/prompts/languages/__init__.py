"""Knows languages: how they are tagged and named, and by what a text of one is recognized.

`tags` names them, `detection` recognizes them, `writing` says whether a rewrite is in one,
`figures` reads their numbers, `proper_names` their names. English and Chinese have a vocabulary of
their own; of all others only that is read which means the same wherever it stands.
"""
