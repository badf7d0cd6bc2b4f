"""Reads instructions that edit pictures: what each part of them does, and to what.

`clauses` takes an instruction apart, `edit_constraints` finds what a rewrite of it must keep,
`picture_references` the pictures that it names, and `keeping_words` has a sentence for all that
stays, in each language.
"""
