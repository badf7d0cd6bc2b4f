"""Image models behind HTTP: what each takes, how it is asked, and what its answers mean.

`image_profiles` has what the files of `config/images/` say, `fitting` puts a request into the terms
of a model, `protocols` writes it in the words of a vendor and reads the answers, `image_client`
sends it.
"""
