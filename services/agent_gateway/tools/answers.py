"""How a server may fail to answer: before the call reached it, or after, when nobody knows what it did."""


class NotSent(Exception):
    """The call did not reach the tool; nothing happened."""


class Lost(Exception):
    """The call left and no answer came: the tool may have run."""
