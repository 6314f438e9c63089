"""The clocks of a run: how quick it is, and when it is time to report and to write a checkpoint."""

import time


class Pace:
    """Counts from when it is made."""

    def __init__(self) -> None:
        self._began_s = self._reported_s = self._saved_s = time.monotonic()
        self._training_s, self._pictures, self._counted_s = 0.0, 0, self._began_s

    def start(self) -> None:
        """An epoch's training begins."""
        self._training_s, self._pictures, self._counted_s = 0.0, 0, time.monotonic()

    def count(self, pictures: int) -> None:
        """A batch is done."""
        now_s = time.monotonic()
        self._training_s += now_s - self._counted_s
        self._counted_s, self._pictures = now_s, self._pictures + pictures

    @property
    def pictures_per_s(self) -> float:
        """Trained in this epoch, by this process."""
        return self._pictures / self._training_s if self._training_s else 0.0

    def elapsed_s(self) -> float:
        """Since this was asked last."""
        now_s = time.monotonic()
        elapsed_s, self._began_s = now_s - self._began_s, now_s
        return elapsed_s

    def is_time_to_report(self, every_s: float) -> bool:
        """Whether this many seconds have passed since this last said yes."""
        now_s = time.monotonic()
        if now_s - self._reported_s < every_s:
            return False
        self._reported_s = now_s
        return True

    def is_due(self, every_s: float) -> bool:
        """Whether this many seconds have passed since the last checkpoint."""
        return time.monotonic() - self._saved_s >= every_s

    def saved(self) -> None:
        """A checkpoint was written."""
        self._saved_s = time.monotonic()
