"""The queue of writers: transactions of many threads take turns, and none keeps its turn beyond its end."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from netlab.accounts.models import User
from netlab.database import base

WRITERS = 12
EACH = 10


def _write(number: int) -> None:
    try:
        for turn in range(EACH):
            with transaction.atomic():
                user = User.objects.create(username=f"w{number}-{turn}")
                user.refresh_from_db()
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_many_threads_write_and_none_is_refused() -> None:
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(_write, range(WRITERS)))
    assert User.objects.filter(username__startswith="w").count() == WRITERS * EACH


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("how", ["commit", "error", "closed"])
def test_a_turn_ends_with_its_transaction(how: str) -> None:
    def use() -> None:
        try:
            with transaction.atomic():
                assert base._turn.locked()
                if how == "error":
                    raise ValueError
                if how == "closed":
                    connection.connection.close()  # as when the database goes away under us
        except Exception as error:
            assert how != "commit", error
        finally:
            connection.close()

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert not base._turn.locked()
