"""What a command function gives to the entry point: work to be done once parsing is over."""

from collections.abc import Callable

Job = Callable[[], int]
"""A parsed command, ready to run; gives the exit status."""
