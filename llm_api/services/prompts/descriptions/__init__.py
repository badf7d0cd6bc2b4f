"""Writes the prompt that would make a given picture, by the rules and checks of rewrites.

`picture_describer` answers a request: it asks a vision model by `description_rules`, and
`description_checks` decides whether the caller may have what it wrote.
"""
