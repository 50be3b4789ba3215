"""Processes that are killed at random moments, and started again each time."""

from __future__ import annotations

import random
import subprocess
import threading
import time

PATIENCE = 600  # seconds after which whatever is waited for is taken for lost


class Victim:
    """A process that is killed so many times, and started again each time; the last one is let live.

    Each lives between 0 and `window` seconds from when it is up.
    """

    def __init__(self, command: list[str], kills: int, seed: str, *, window: float = 0.3) -> None:
        self.killed = 0
        self.failed = ""
        self.process: subprocess.Popen | None = None
        self._command, self._kills, self._window, self._dice = command, kills, window, random.Random(seed)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def wait(self) -> None:
        """Until it was killed as often as it had to be, and has been started once more."""
        while self._thread.is_alive():
            before = self.killed
            self._thread.join(PATIENCE)
            assert self.killed > before or not self._thread.is_alive(), self._command
        assert not self.failed, self.failed

    def end(self) -> None:
        """Ends it, wherever it is."""
        self._over.set()
        self._thread.join()
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _run(self) -> None:
        while not self._over.is_set():
            process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            with process.stdout:
                if not process.stdout.readline() and process.poll() not in (None, 0):
                    self.failed = f"{self._command} ended with {process.poll()}"
                    return
            if self.killed >= self._kills:
                self.process = process
                return
            time.sleep(self._dice.uniform(0, self._window))
            process.kill()
            # One that had ended by itself was not killed.
            self.killed += process.wait() == -9
