"""The vocabulary of the checks: words and their meanings, by subject, in English and Chinese.

`words` reads the `.toml` files and finds the meaning of a text's words. `decoys` are phrases that
look like a word with a meaning and have none ("palm tree"); `grammar` has the little words.
"""
