"""Lessons as data: one TOML file each, read strictly, and held against the scene that it names.

Read from `app/lessons` and from a folder `lessons` in the user's cache (`OOD_CACHE`), where a teacher adds one. The
name of a file is `NUMBER-NAME.toml`; the number orders the list, the name stands in links. `app/lessons/README.md`
tells the fields.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from operator import ge, gt, le, lt
from pathlib import Path
from typing import Any, Final, Literal, get_args

import app
from app import theme
from app.services.memory import Memory
from app.services.scenes import SCENES, content_of, open_scene
from app.services.scenes.frames import Fact, Place, Scene, Show
from oodcore.data.roots import cache_folder
from oodcore.errors import DataError
from oodcore.registry import did_you_mean

__all__ = ["Check", "Kind", "Lesson", "Question", "Remember", "Step", "Task", "filled", "fits"]
__all__ += ["folders", "library", "opened", "read"]

Kind = Literal["predict", "drag", "explain", "formula", "task"]
HOW: Final = {"<": lt, "<=": le, ">": gt, ">=": ge}
CHECK = re.compile(r"(\w+) (<=|>=|<|>) (-?\d+(?:\.\d+)?)( %)?")
NAME = re.compile(r"(\d+)-([a-z0-9-]+)")
FACT = re.compile(r"\[\[([^\[\]]+)\]\]")
OPTIONS = range(2, 6)
DIALS = 2  # on one stage, at most: more than that, nobody watches


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked before anything moves; `right` and `wrong` are the line that follows."""

    ask: str
    options: tuple[str, ...]
    answer: str
    right: str
    wrong: str


@dataclass(frozen=True, slots=True)
class Check:
    """`fpr95 < 40 %`."""

    fact: str
    how: str
    limit: float

    def holds(self, value: float) -> bool:
        return bool(HOW[self.how](value, self.limit))


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be found on the stage; solved where every check holds."""

    ask: str
    checks: tuple[Check, ...]
    hint: str
    solved: str

    def done(self, scene: Scene, place: Place) -> bool:
        """Whether this position solves it."""
        return all(check.holds(scene.value(check.fact, place)) for check in self.checks)


@dataclass(frozen=True, slots=True)
class Step:
    """One screen: text on the left, a stage on the right."""

    kind: Kind
    title: str
    text: str
    latex: str
    show: Show
    preset: Mapping[str, float | str]
    question: Question | None
    task: Task | None


@dataclass(frozen=True, slots=True)
class Remember:
    """The last screen: what to take along, and the page on which to go on."""

    points: tuple[str, ...]
    page: str
    label: str
    query: Mapping[str, str]


@dataclass(frozen=True)
class Lesson:
    """One lesson.

    Args:
        name: In links.
        file: That it was read from.
        title: Of the lesson.
        lead: One sentence for the list.
        minutes: About how long it takes.
        scene: Name of what it shows.
        steps: In order.
        remember: The end.
    """

    name: str
    file: Path
    title: str
    lead: str
    minutes: int
    scene: str
    steps: tuple[Step, ...]
    remember: Remember

    @cached_property
    def screens(self) -> int:
        """Steps and the end."""
        return len(self.steps) + 1


def folders() -> tuple[Path, ...]:
    """Where lessons are: those of the app, and those that a teacher added."""
    return Path(app.__file__).with_name("lessons"), cache_folder() / "lessons"


def library(places: Sequence[Path] | None = None) -> tuple[dict[str, Lesson], list[str]]:
    """Lessons by name in the order of their numbers, and a sentence for each file that is none.

    The first of a name counts, so that an added lesson cannot take the place of one of the app.
    """
    files = [file for place in places or folders() for file in sorted(place.glob("*.toml"), key=_order)]
    return _LIBRARIES.find(tuple((file, file.stat().st_mtime_ns) for file in files), partial(_library, files))


def _library(files: Sequence[Path]) -> tuple[dict[str, Lesson], list[str]]:
    found: dict[str, Lesson] = {}
    sentences = []
    for file in files:
        try:
            lesson = read(file)
        except DataError as problem:
            sentences.append(str(problem))
            continue
        if lesson.name in found:
            sentences.append(f"{file.name}: there is a lesson '{lesson.name}' already. Give the file another name.")
        found.setdefault(lesson.name, lesson)
    return found, sentences


def opened(lesson: Lesson) -> Scene:
    """The lesson's scene, after both were held against each other.

    Raises:
        OODError: there is no such scene on this server, or the lesson does not fit it.
    """
    scene = open_scene(lesson.scene)
    _FITTING.find(
        (lesson.file, lesson.file.stat().st_mtime_ns, content_of(lesson.scene)), partial(_fitting, lesson, scene)
    )
    return scene


_LIBRARIES: Memory[tuple[tuple[Path, int], ...], tuple[dict[str, Lesson], list[str]]] = Memory(8)
_FITTING: Memory[tuple[Path, int, str], bool] = Memory(64)


def _fitting(lesson: Lesson, scene: Scene) -> bool:
    fits(lesson, scene)
    return True


def read(file: Path) -> Lesson:
    """One file.

    Raises:
        DataError: it is no lesson; the sentence names file and key.
    """
    named = NAME.fullmatch(file.stem)
    if named is None:
        raise DataError(f"{file.name}: a lesson's file is called like '7-my-lesson.toml': a number, then a name.")
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise DataError(f"{file.name} is no TOML file that can be read: {problem}.") from None
    top = _Keys(content, file.name)
    lesson = Lesson(
        name=named[2],
        file=file,
        title=top.text("title"),
        lead=top.text("lead"),
        minutes=top.whole("minutes", 5),
        scene=top.one_of("scene", list(SCENES)),
        steps=tuple(_step(part) for part in top.tables("steps")),
        remember=_remember(top.table("remember")),
    )
    top.end()
    return lesson


def fits(lesson: Lesson, scene: Scene) -> None:
    """Hold a lesson against its scene: every name is known, and every task has a solution and a start that is none.

    Raises:
        DataError: it does not fit; the sentence names file and key.
    """
    for number, step in enumerate(lesson.steps):
        place = f"{lesson.file.name}: steps[{number}]"
        for kind, names, known in (
            ("dials", step.show.dials, scene.dials),
            ("views", step.show.views, scene.views),
            ("facts", step.show.facts, scene.facts),
            ("numbers", step.show.numbers, scene.numbers),
            ("task.check", [check.fact for check in step.task.checks] if step.task else [], scene.facts),
        ):
            for name in names:
                if name not in known:
                    raise DataError(f"{place}.{kind}: {did_you_mean('part of the scene', name, list(known))}")
        try:
            start = scene.place(step.preset)
        except DataError as problem:
            raise DataError(f"{place}.preset: {problem}") from None
        texts = [step.text, *([step.question.right, step.question.wrong] if step.question else [])]
        for text in (*texts, *([step.task.solved] if step.task else [])):
            try:
                filled(text, scene, start)
            except DataError as problem:
                raise DataError(f"{place}: {problem}") from None
        if step.task is not None:
            _solvable(step, step.task, scene, start, f"{place}.task")


def filled(text: str, scene: Scene, place: Place) -> str:
    """The text with its numbers: `[[fpr95 | temperature=10]]` is what the stage shows of that fact there.

    Args:
        text: Of a lesson.
        scene: Which it belongs to.
        place: Where dials stand that the text does not name.

    Raises:
        DataError: no such fact, dial or value.
    """
    return _tied(FACT.sub(lambda found: _number_in(found[1], scene, place), text))


def _tied(text: str) -> str:
    """A number keeps its percent sign on its line."""
    return re.sub(r"(\d) %", "\\1\N{NO-BREAK SPACE}%", text)


def _number_in(words: str, scene: Scene, place: Place) -> str:
    name, *turned = (part.strip() for part in words.split("|"))
    if name not in scene.facts:
        raise DataError(f"[[{words}]]: {did_you_mean('fact', name, list(scene.facts))}")
    pairs = [part.partition("=")[::2] for part in turned]
    named = {dial.strip(): value.strip() for dial, value in pairs}
    there = scene.place(named)
    return _in_words(scene.facts[name], scene.value(name, dict(place) | {dial: there[dial] for dial in named}))


def _in_words(fact: Fact, value: float) -> str:
    if fact.unit == "decision":
        return "flagged" if value else "kept"
    return theme.percent(value) if fact.unit == "percent" else theme.number(value)


def _solvable(step: Step, task: Task, scene: Scene, start: Place, place: str) -> None:
    if task.done(scene, start):
        raise DataError(f"{place}: it is solved before anything is turned. Change the preset or the check.")
    if not any(task.done(scene, reached) for reached in scene.places(scene.turned(step.show), start)):
        raise DataError(f"{place}: no position of its dials solves it. Change the check.")


def _step(keys: "_Keys") -> Step:
    question, task = keys.table("question", needed=False), keys.table("task", needed=False)
    step = Step(
        kind=keys.one_of("kind", list(get_args(Kind))),  # type: ignore[arg-type]
        title=keys.text("title"),
        text=keys.text("text"),
        latex=keys.text("latex", ""),
        show=Show(keys.texts("dials"), keys.texts("views"), keys.texts("facts"), keys.texts("numbers")),
        preset=keys.values("preset"),
        question=None if question is None else _question(question),
        task=None if task is None else _task(task),
    )
    if len(step.show.dials) > DIALS:
        raise keys.wrong("dials", f"must be {DIALS} at most; got {list(step.show.dials)}")
    if step.kind == "predict" and question is None:
        raise keys.wrong("question", "is missing: a step that predicts asks something")
    if step.kind == "task" and task is None:
        raise keys.wrong("task", "is missing: a step of this kind sets one")
    keys.end()
    return step


def _question(keys: "_Keys") -> Question:
    options = keys.texts("options")
    if len(options) not in OPTIONS or len(set(options)) != len(options):
        raise keys.wrong("options", f"must be {OPTIONS[0]} to {OPTIONS[-1]} different answers; got {list(options)}")
    found = Question(
        keys.text("ask"), options, keys.one_of("answer", list(options)), keys.text("right"), keys.text("wrong")
    )
    keys.end()
    return found


def _task(keys: "_Keys") -> Task:
    checks = []
    for text in keys.texts("check"):
        parts = CHECK.fullmatch(text)
        if parts is None:
            raise keys.wrong("check", f"must be like 'fpr95 < 40 %' or 'energy >= -5'; got {text!r}")
        limit = float(parts[3]) / 100 if parts[4] else float(parts[3])
        checks.append(Check(parts[1], parts[2], limit))
    if not checks:
        raise keys.wrong("check", "must hold at least one condition")
    task = Task(keys.text("ask"), tuple(checks), keys.text("hint"), keys.text("solved"))
    keys.end()
    return task


def _remember(keys: "_Keys | None") -> Remember:
    assert keys is not None  # noqa: S101  it is needed, so that its absence was told
    points = keys.texts("points")
    if not points:
        raise keys.wrong("points", "must hold at least one sentence")
    query = {name: str(value) for name, value in keys.values("query").items()}
    found = Remember(points, keys.text("page"), keys.text("label"), query)
    keys.end()
    return found


class _Keys:
    """A table of the file that knows where it stands, and what nobody asked for."""

    def __init__(self, content: Mapping[str, Any], place: str) -> None:
        self.content, self.place = content, place
        self.asked: list[str] = []

    def wrong(self, key: str, words: str) -> DataError:
        return DataError(f"{self._at(key)} {words}.")

    def text(self, key: str, default: str | None = None) -> str:
        value = self._get(key, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            raise self.wrong(key, f"must be text; got {value!r}")
        return _tied(value.strip())

    def whole(self, key: str, default: int) -> int:
        value = self._get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self.wrong(key, f"must be a whole number above 0; got {value!r}")
        return value

    def one_of(self, key: str, known: list[str]) -> str:
        value = self.text(key)
        if value not in known:
            raise self.wrong(key, f"must be one of {', '.join(known)}; got {value!r}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise self.wrong(key, f"must be a list of texts; got {value!r}")
        return tuple(value)

    def values(self, key: str) -> dict[str, float | str]:
        value = self._get(key, {})
        if not isinstance(value, dict) or not all(
            isinstance(item, int | float | str) and not isinstance(item, bool) for item in value.values()
        ):
            raise self.wrong(key, f"must be a table of numbers and texts; got {value!r}")
        return value

    def table(self, key: str, needed: bool = True) -> "_Keys | None":
        value = self._get(key, None if needed else {})
        if not isinstance(value, dict):
            raise self.wrong(key, f"must be a table; got {value!r}")
        return _Keys(value, self._at(key)) if needed or value else None

    def tables(self, key: str) -> list["_Keys"]:
        value = self._get(key, None)
        if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
            raise self.wrong(key, "must be one table or more, each beginning with [[steps]]")
        return [_Keys(item, f"{self._at(key)}[{number}]") for number, item in enumerate(value)]

    def end(self) -> None:
        """Nothing may be left over.

        Raises:
            DataError: a key that does not belong here.
        """
        for key in self.content:
            if key not in self.asked:
                raise DataError(f"{self._at(key)} does not belong here. {did_you_mean('key', key, self.asked)}")

    def _get(self, key: str, default: Any) -> Any:
        self.asked.append(key)
        if key not in self.content and default is None:
            raise self.wrong(key, "is missing")
        return self.content.get(key, default)

    def _at(self, key: str) -> str:
        return f"{self.place}{'.' if '[' in self.place or ': ' in self.place else ': '}{key}"


def _order(file: Path) -> tuple[int, str]:
    named = NAME.fullmatch(file.stem)
    return (int(named[1]) if named else 0, file.name)
