"""One question in a message, answered by a click.

    ::: question How was your visit to the library?
    - Very good
    - Good
    - Not good
    :::

Each answer is a button to a page of the tracking service, where it stands chosen and is sent by another click, for
scanners follow every link. Whoever reads the text part has the same links.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:  # the tracking service knows questions, and never parses one
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock

ANSWER_BASE: Final = "answer_base"
"""The variable that stands for the address; the answer's number is appended."""
FEWEST, MOST = 2, 10
LONGEST = 200
"""Characters of a question or an answer, ours."""

_OPEN = re.compile(r":::\s*question\b\s*(.*)")
_WHOLE = re.compile(r"^[ \t]*:::[ \t]*question\b.*?^[ \t]*:::[ \t]*$\n?", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and what can be answered, in one language; answers are known by their number, from 0."""

    text: str
    answers: tuple[str, ...]

    def to_document(self) -> dict[str, Any]:
        return {"text": self.text, "answers": list(self.answers)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Question:
        """KeyError or TypeError if that is none."""
        return cls(str(document["text"]), tuple(map(str, document["answers"])))

    def fault(self) -> str:
        """Why it cannot be asked; empty if it can."""
        if not self.text:
            return "write the question behind `::: question`"
        if not FEWEST <= len(self.answers) <= MOST:
            return f"a question has {FEWEST} to {MOST} answers, each on a line that begins with `- `"
        if not all(self.answers) or len(set(self.answers)) < len(self.answers):
            return "two answers of a question are the same, or one is empty"
        if max(map(len, (self.text, *self.answers))) > LONGEST:
            return f"a question and its answers have at most {LONGEST} characters each"
        return ""


def left_out(body: str) -> str:
    """A body without its question: in a digest of several messages nobody could say which one an answer is about.

    Every other line keeps its number.
    """
    return _WHOLE.sub(lambda found: "\n" * found[0].count("\n"), body)


def extend(parser: MarkdownIt) -> None:
    """Teach a parser the block: one token `question` whose `meta` holds the question, or what is wrong with it."""
    parser.block.ruler.before("fence", "question", _block, {"alt": ["paragraph", "blockquote", "list"]})


def _block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    opened = _OPEN.fullmatch(_line(state, start))
    if opened is None:
        return False
    if silent:
        return True
    answers: list[str] = []
    fault = "the block `::: question` is never closed; write `:::` on the line behind its last answer"
    number = start + 1
    while number < end:
        line = _line(state, number)
        number += 1
        if line == ":::":
            fault = ""
            break
        if line.startswith("- "):
            answers.append(line[2:].strip())
        elif line:
            fault = f'"{line[:60]}" is no answer; inside `::: question` each line begins with `- `'
            break
    question = Question(opened[1].strip(), tuple(answers))
    token = state.push("question", "", 0)
    token.map, token.meta = [start, number], {"question": question, "fault": fault or question.fault()}
    state.line = number
    return True


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]].strip()
