"""The program of a picture process, which alone knows Pillow.

`program` reads requests and answers them, with what `reading`, `writing` and `drawing` do. A worker
imports nothing of it.
"""
