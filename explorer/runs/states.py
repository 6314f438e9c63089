"""The states of a run, and the transitions between them: one table, used by all."""

from explorer.errors import RunError

STATES = ("queued", "running", "finished", "cancelled", "failed", "interrupted")

# What happens to a run: the states it may be in, and the one it comes to. Everything else is refused.
MOVES: dict[str, dict[str, str]] = {
    "started": {"queued": "running"},
    "finished": {"running": "finished"},
    "failed": {"running": "failed"},
    "interrupted": {"running": "interrupted"},  # its process has ended, or is asked to by the system
    "cancelled": {"queued": "cancelled", "running": "cancelled"},
    "resumed": {"interrupted": "queued", "cancelled": "queued", "failed": "queued"},
}
ACTIVE = ("queued", "running")


def moved(run: str, state: str, event: str) -> str:
    """The state after `event`, one of MOVES; raises RunError with a sentence where it is not allowed."""
    allowed = MOVES[event]
    if state not in allowed:
        raise RunError(f"The run {run} is {state} and cannot be {event}: only one that is {_either(allowed)} can.")
    return allowed[state]


def _either(states: dict[str, str]) -> str:
    *others, last = states
    return f"{', '.join(others)} or {last}" if others else last
