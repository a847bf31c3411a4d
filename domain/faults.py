"""What the rules raise. No text of an exception ever holds what was typed: it would end up in a log."""


class BadInput(ValueError):
    """What somebody typed cannot be taken; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Refused(Exception):
    """What was typed is clear, and the index does not take it; `code` says why."""

    code: str

    def __init__(self) -> None:
        super().__init__(self.code)
