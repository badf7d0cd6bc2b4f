"""What commands do with the configuration and the database of this machine.

It takes a second to import, and is imported where no service elsewhere is named.
"""
