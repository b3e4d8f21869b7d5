"""The one exception of the installer: something that a person can be told about. Raised by every step, shown by progress."""

from pathlib import Path


class Failed(Exception):
    """A step could not be done. `hint` says what to do; the last lines of `log` are shown beside it."""

    def __init__(self, what: str, hint: str = "", log: Path | None = None) -> None:
        super().__init__(what)
        self.what, self.hint, self.log = what, hint, log
