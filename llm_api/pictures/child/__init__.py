"""The program of a picture process, which knows Pillow.

`program` answers requests with what `reading`, `writing` and `drawing` do; `serving` is how, and
the sandbox, which the measuring process has as well. A worker imports nothing of it.
"""
