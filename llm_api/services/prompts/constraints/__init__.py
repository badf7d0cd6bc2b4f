"""Finds the locks of a prompt: what a rewrite has to keep.

`prompt` is the door. `reading` turns a text into tokens and terms; each of the other files finds
one kind of thing in a reading, of a prompt or of a rewrite.
"""
