"""The two forms of asking a model for a rewrite.

`instructed` gives a capable model our written rules (`system_*.txt`) and reads its free answer by
the ladder of `reply`. `guided` lets a small model choose from the phrases of `facets.toml`, so that
it cannot drift; `composing` puts them together.
"""
