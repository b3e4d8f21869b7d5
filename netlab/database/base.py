"""The connection: a transaction waits for its turn in a queue of this process before it asks SQLite for the one write lock.

Used by Django through settings.DATABASES. SQLite's own waiting is polling with sleeps of up to 100 ms
(sqlite3_busy_timeout): when a room presses Start at once, most of the time went into sleeping while the lock was free.
Other processes are still waited for in SQLite's way.
"""

import threading
from typing import Any

from django.db.backends.sqlite3 import base

TURN_LIMIT_S = 20
"""As long as SQLite itself waits (settings: timeout); then it is SQLite's to say that the database is locked."""
_turn = threading.Lock()


class DatabaseWrapper(base.DatabaseWrapper):
    _has_turn = False

    def _start_transaction_under_autocommit(self) -> None:
        self._has_turn = self._has_turn or _turn.acquire(timeout=TURN_LIMIT_S)
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._give_turn()
            raise

    def _commit(self) -> Any:
        try:
            return super()._commit()  # type: ignore[misc]
        finally:
            self._give_turn()

    def _rollback(self) -> Any:
        try:
            return super()._rollback()  # type: ignore[misc]
        finally:
            self._give_turn()

    def _close(self) -> Any:
        try:
            return super()._close()  # type: ignore[misc]
        finally:
            self._give_turn()

    def _give_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            _turn.release()
