"""Finds the constraints of a prompt: what every rewrite of it must keep.

`constraints.find_constraints` is the entry. `reading` turns a text into tokens and terms; each of
the other modules finds one kind of thing in a reading, of a prompt or of a rewrite.
"""
