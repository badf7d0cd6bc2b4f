"""Turns what a prompt says into requirements that a picture can be held against.

`requirements.requirements_of` is the entry, `requirements.read_checkpoint` reads a caller's
sentence in the same way. `wording` writes the sentences, `foreign` reads other languages as far as
that goes, `lost` compares with another wording of the prompt.
"""
