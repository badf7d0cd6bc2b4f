"""The two strategies of having a prompt rewritten by a model.

`instructions` gives a capable model our written rules (`system_*.txt`), and `reply_parser` reads
its free answer. `guided_decoding` lets a small model choose from phrases of ours, so that it cannot
drift.
"""
