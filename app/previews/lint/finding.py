"""One line of the lint's report."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of a rule.

    ``rule`` is the standard's number, such as ``A8``, or ``clients`` for what mail programs lack;
    ``place`` says where to look, ``problem`` what is wrong there, ``cure`` what to do.
    """

    rule: str
    place: str
    problem: str
    cure: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.place}: {self.problem}. {self.cure}."
