"""The nouns of the service: plain, frozen values that every layer may use."""
