"""Portions: the division of a work among machines that do not talk to each other."""

import re
from dataclasses import dataclass

from latent_hands.errors import HandsError

FOLDER = "portions"
"""Folder inside an unfinished result, with what each portion has done. The last portion removes it."""


@dataclass(frozen=True)
class Portion:
    """The `number`-th of `count` portions, counted from 1. Raises HandsError unless 1 <= number <= count."""

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        """Check the range."""
        if not 1 <= self.number <= self.count:
            raise HandsError(f"shard is {self}; it must be I/N with 1 <= I <= N, as in 2/8")

    def __str__(self) -> str:
        """Return "I/N"."""
        return f"{self.number}/{self.count}"

    @staticmethod
    def parse(text: str | None) -> "Portion":
        """Read "I/N"; None is the whole work. Raises HandsError for other text."""
        if text is None:
            return Portion()
        if not (found := re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)):
            raise HandsError(f"shard is {text}; it must be I/N with 1 <= I <= N, as in 2/8")
        return Portion(*map(int, found.groups()))

    @property
    def whole(self) -> bool:
        """Return whether this is the whole work."""
        return self.count == 1

    @property
    def name(self) -> str:
        """Return the name of the portion's records, such as "2-of-8"."""
        return f"{self.number}-of-{self.count}"

    def all(self) -> list["Portion"]:
        """Return this portion and all others of the same work, in order."""
        return [Portion(number, self.count) for number in range(1, self.count + 1)]

    def of(self, jobs: range) -> range:
        """Return the jobs of this portion: a run of neighbours. All portions together have every job once."""
        start, end = (number * len(jobs) // self.count for number in (self.number - 1, self.number))
        return jobs[start:end]


WHOLE = Portion()
"""The only portion of an undivided work."""
