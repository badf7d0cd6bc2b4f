"""The soak: an hour of mixed traffic, after which nothing may have grown and no call be lost."""
