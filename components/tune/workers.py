"""Who is at work on a shared study: each worker leaves a sign of life, and the silent are gone."""

import os
import socket
import threading
import time
import uuid
from contextlib import suppress
from typing import Any

SIGN_EVERY_S = 60.0
GONE_AFTER_S = 600.0  # ten signs missed, or clocks that far apart


class Worker:
    """One process at a study, known by host, process and a random part.

    ``shared``: others may be at work too. Alone, every other worker is one that died.
    """

    def __init__(self, study: Any, *, shared: bool) -> None:
        self._study, self._shared = study, shared
        self.name = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._stop = threading.Event()
        if shared:
            self.sign()
            threading.Thread(target=self._sign_on, daemon=True).start()

    @property
    def seed(self) -> int:
        """A number of this worker's own, so that two do not ask the same; 0 where alone."""
        return int(self.name.rpartition(":")[2], 16) % 100_003 if self._shared else 0

    def is_gone(self, other: str) -> bool:
        """Whether nobody works under that name any more."""
        if other == self.name:
            return False
        if not self._shared:
            return True
        last = self._study.user_attrs.get(_key(other))
        return last is None or time.time() - float(last) > GONE_AFTER_S

    def sign(self) -> None:
        """Leave a sign of life."""
        self._study.set_user_attr(_key(self.name), time.time())

    def leave(self) -> None:
        """Stop giving signs; whatever is still open may be taken over at once."""
        self._stop.set()
        if self._shared:
            self._study.set_user_attr(_key(self.name), 0.0)

    def _sign_on(self) -> None:
        while not self._stop.wait(SIGN_EVERY_S):
            with suppress(OSError, RuntimeError):  # a storage that is away for a minute comes back
                self.sign()


def _key(name: str) -> str:
    return f"seen {name}"
