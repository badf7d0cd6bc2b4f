r"""The classes of signs that encoders' patterns name and Python's `re` does not: \p{L}, \p{N}."""

# Of the signs that Python counts to \w, these are numbers and no decimal digits: ², ½, Ⅷ, ①.
_OTHER_NUMBERS = (
    "²³¹¼-¾\u09f4-\u09f9\u0b72-\u0b77\u0bf0-\u0bf2\u0d70-\u0d78\u0f2a-\u0f33\u1369-\u137c"
    "\u16ee-\u16f0\u17f0-\u17f9\u2070-\u2079\u2080-\u2089\u2150-\u2182\u2185-\u2189\u2460-\u249b"
    "\u24ea-\u24ff\u2776-\u2793\u3007\u3021-\u3029\u3038-\u303a\u3192-\u3195\u3220-\u3229"
    "\u3248-\u324f\u3251-\u325f\u3280-\u3289\u32b1-\u32bf"
)
LETTER = rf"[^\W\d_{_OTHER_NUMBERS}]"
NUMBER = rf"[\d{_OTHER_NUMBERS}]"
