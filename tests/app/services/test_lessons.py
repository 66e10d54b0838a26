"""Lessons as files: what is read, what is told, and whether every task can be solved and only rightly."""

import shutil
from pathlib import Path

import pytest

from app.services import lessons
from app.services.lessons import Lesson
from app.services.scenes import SCENES, open_scene
from app.services.scenes.frames import PICTURE
from oodcore.errors import DataError

SHIPPED, PROBLEMS = lessons.library([lessons.folders()[0]])
TASKS = [(name, number) for name, lesson in SHIPPED.items() for number, step in enumerate(lesson.steps) if step.task]
VIEWS = {file.stem for file in (Path(lessons.__file__).parents[1] / "views").glob("*.py")}

WORKING = """
title = "T"
lead = "L"
scene = "energy"
[[steps]]
kind = "predict"
title = "S"
text = "X [[fpr95 | temperature=10]]"
views = ["histogram"]
preset = { temperature = 1 }
[steps.question]
ask = "?"
options = ["up", "down"]
answer = "up"
right = "r"
wrong = "w"
[[steps]]
kind = "task"
title = "S"
text = "X"
dials = ["temperature"]
facts = ["fpr95"]
preset = { network = "fine-tuned", temperature = 10 }
[steps.task]
ask = "?"
check = ["fpr95 < 40 %"]
hint = "h"
solved = "s"
[remember]
points = ["p"]
page = "score"
label = "l"
"""


def written(folder: Path, text: str, name: str = "7-mine.toml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def opened(file: Path) -> Lesson:
    lesson = lessons.read(file)
    lessons.fits(lesson, open_scene(lesson.scene))
    return lesson


def test_the_six_lessons_are_there_in_order() -> None:
    assert PROBLEMS == []
    assert list(SHIPPED) == ["softmax", "energy", "margins", "balance", "clusters", "featurenorm"]
    assert {lesson.scene for lesson in SHIPPED.values()} == set(SCENES)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_lesson_fits_its_scene_and_goes_the_whole_way(name: str) -> None:
    lesson = SHIPPED[name]
    lessons.fits(lesson, open_scene(lesson.scene))
    kinds = [step.kind for step in lesson.steps]
    assert kinds[0] == "predict"
    assert kinds[-1] == "task"
    assert set(kinds) == {"predict", "drag", "explain", "formula", "task"}
    assert all(step.latex for step in lesson.steps if step.kind == "formula")
    assert all(step.show.numbers for step in lesson.steps if step.kind == "formula")


@pytest.mark.parametrize(("name", "number"), TASKS)
def test_every_task_has_few_solutions_and_they_are_those_of_its_conditions(name: str, number: int) -> None:
    step, scene = SHIPPED[name].steps[number], open_scene(SHIPPED[name].scene)
    assert step.task is not None
    turned = [dial for dial in scene.turned(step.show) if dial != PICTURE]
    places = list(scene.places(turned, scene.place(step.preset)))
    solving = [place for place in places if step.task.done(scene, place)]
    assert 1 <= len(solving) <= 0.7 * len(places)
    for place in places:
        values = {check.fact: scene.value(check.fact, place) for check in step.task.checks}
        holds = all(eval(f"{values[c.fact]!r} {c.how} {c.limit!r}") for c in step.task.checks)
        assert (place in solving) == holds


@pytest.mark.parametrize(
    ("name", "wanted", "done"),
    [
        ("softmax", {"asked": 0.94}, True),
        ("softmax", {"asked": 0.8}, False),
        ("softmax", {"asked": 0.99}, False),
        ("energy", {"temperature": 1}, True),
        ("energy", {"temperature": 6}, False),
        ("margins", {"margin_in": -15, "margin_out": -9}, True),
        ("margins", {"margin_in": -15, "margin_out": -5}, False),
        ("margins", {"margin_in": -18, "margin_out": -9}, False),
        ("balance", {"imbalance": 20, "loss": "energy"}, True),
        ("balance", {"imbalance": 5, "loss": "energy"}, False),
        ("balance", {"imbalance": 20, "loss": "balanced, γ 1"}, False),
        ("clusters", {"tau": 0.02}, True),
        ("clusters", {"tau": 0.2}, False),
        ("featurenorm", {"block": 8}, True),
        ("featurenorm", {"block": 2}, False),
    ],
)
def test_tasks_at_some_positions(name: str, wanted: dict[str, float | str], done: bool) -> None:
    step, scene = SHIPPED[name].steps[-1], open_scene(SHIPPED[name].scene)
    assert step.task is not None
    assert step.task.done(scene, scene.place(dict(step.preset) | wanted)) is done


@pytest.mark.parametrize("name", SHIPPED)
def test_answers_to_the_questions_are_what_the_numbers_say(name: str) -> None:
    """The sentences carry numbers; here are the comparisons behind each."""
    scene = open_scene(SHIPPED[name].scene)

    def at(fact: str, **wanted: float | str) -> float:
        return scene.value(fact, scene.place(wanted))

    facts = {
        "softmax": lambda: [at("confidence", shift=5) == pytest.approx(at("confidence", shift=0), abs=1e-12)],
        "energy": lambda: [
            at("fpr95", temperature=10) > at("fpr95", temperature=1) + 0.1,
            at("confidence") > at("auroc"),
            at("confidence", network="fine-tuned") < at("auroc", network="fine-tuned"),
        ],
        "margins": lambda: [
            at("far", network="energy margins") < at("far") - 0.03,
            at("near", network="energy margins") > at("near") + 0.05,
        ],
        "balance": lambda: [
            at("rarely", imbalance=50, loss="energy") < at("often", imbalance=50, loss="energy") - 0.15,
            at("rarely", imbalance=50, loss="balanced, γ 1") < at("rarely", imbalance=50, loss="energy") - 0.03,
            abs(at("rarely", imbalance=50, loss="control (γ 0)") - at("rarely", imbalance=50, loss="energy")) < 0.03,
        ],
        "clusters": lambda: [at("auroc", tau=1) < 0.5 < 0.85 < at("auroc", tau=0.1)],
        "featurenorm": lambda: [
            at("auroc", block=9, against="textures") > 0.95,
            abs(at("auroc", block=9, against="new shapes") - 0.5) < 0.1,
            at("auroc", block=9, network="fine-tuned", against="textures") < 0.5,
            scene.facts["ratio"].table.values[0].argmax() == 8,
        ],
    }
    assert all(facts[name]())


def test_texts_carry_the_numbers_of_the_stage() -> None:
    scene = open_scene("energy")
    place = scene.place({"network": "fine-tuned"})
    value = scene.value("fpr95", scene.place({"network": "fine-tuned", "temperature": 10}))
    assert lessons.filled("a [[fpr95 | temperature=10]] b", scene, place) == f"a {100 * value:.1f}\N{NO-BREAK SPACE}% b"
    assert lessons.filled("[[flagged]]", scene, place) in ("kept", "flagged")


def test_a_teacher_adds_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OOD_CACHE", str(tmp_path))
    (tmp_path / "lessons").mkdir()
    written(tmp_path / "lessons", WORKING)
    found, problems = lessons.library()
    assert problems == []
    assert list(found)[-1] == "mine"
    assert lessons.opened(found["mine"]) is open_scene("energy")
    written(tmp_path / "lessons", WORKING, "1-energy.toml")
    found, problems = lessons.library()
    assert found["energy"].title == "Energy"
    assert "1-energy.toml: there is a lesson 'energy' already" in problems[0]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('title = "T"', "", r"7-mine.toml: title is missing"),
        ('lead = "L"', "lead = 3", r"7-mine.toml: lead must be text; got 3"),
        ('scene = "energy"', 'scene = "energies"', r"7-mine.toml: scene must be one of softmax, energy"),
        ('kind = "task"', 'kind = "taks"', r"7-mine.toml: steps\[1\].kind must be one of predict"),
        ('answer = "up"', 'answer = "left"', r"steps\[0\].question.answer must be one of up, down; got 'left'"),
        ('["up", "down"]', '["up"]', r"steps\[0\].question.options must be 2 to 5"),
        ('hint = "h"', 'hint = "h"\nhnit = "h"', r"steps\[1\].task.hnit does not belong here.*'hint'"),
        ("fpr95 < 40 %", "fpr95 is low", r"steps\[1\].task.check must be like 'fpr95 < 40 %'"),
        ('["fpr95 < 40 %"]', "[]", r"steps\[1\].task.check must hold at least one"),
        ("fpr95 < 40 %", "fpr59 < 40 %", r"steps\[1\].task.check: No part of the scene is called 'fpr59'.*'fpr95'"),
        ("fpr95 < 40 %", "fpr95 < 90 %", r"steps\[1\].task: it is solved before anything is turned"),
        ("fpr95 < 40 %", "fpr95 < 1 %", r"steps\[1\].task: no position of its dials solves it"),
        ('["temperature"]', '["temprature"]', r"steps\[1\].dials: No part of the scene is called 'temprature'"),
        ('["temperature"]', '["temperature", "network", "against"]', r"steps\[1\].dials must be 2 at most"),
        ("temperature = 10 }", "temperature = 99 }", r"steps\[1\].preset: 'temperature' goes from 0.1 to 20"),
        ("temperature = 10 }", "heat = 9 }", r"steps\[1\].preset: No dial is called 'heat'"),
        ("[[fpr95 | temperature=10]]", "[[fpr | temperature=10]]", r"steps\[0\].* No fact is called 'fpr'"),
        ("[[fpr95 | temperature=10]]", "[[fpr95 | temperature=99]]", r"steps\[0\].*goes from"),
        ('points = ["p"]', "points = []", r"7-mine.toml: remember.points must hold"),
        ("[remember]", "[remember", r"7-mine.toml is no TOML file"),
        ('title = "T"', 'title = "T"\nminutes = 0', r"7-mine.toml: minutes must be a whole number above 0"),
    ],
)
def test_what_is_wrong_is_told_by_file_and_key(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in WORKING
    file = written(tmp_path, WORKING.replace(old, new, 1) if "[[steps]]" not in old else WORKING)
    with pytest.raises(DataError, match=told):
        opened(file)


def test_a_question_or_a_task_that_is_missing(tmp_path: Path) -> None:
    start, end = WORKING.index("[steps.task]"), WORKING.index("[remember]")
    with pytest.raises(DataError, match=r"steps\[1\].task is missing"):
        opened(written(tmp_path, WORKING[:start] + WORKING[end:]))
    start, end = WORKING.index("[steps.question]"), WORKING.index('[[steps]]\nkind = "task"')
    with pytest.raises(DataError, match=r"steps\[0\].question is missing"):
        opened(written(tmp_path, WORKING[:start] + WORKING[end:]))


def test_a_file_with_another_name_is_told(tmp_path: Path) -> None:
    written(tmp_path, WORKING, "mine.toml")
    found, problems = lessons.library([tmp_path])
    assert found == {}
    assert "mine.toml: a lesson's file is called like" in problems[0]


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    import os

    file = written(tmp_path, WORKING)
    assert lessons.library([tmp_path])[0]["mine"].title == "T"
    shutil.copy(file, tmp_path / "copy")
    written(tmp_path, WORKING.replace('title = "T"', 'title = "U"', 1))
    os.utime(file, (1, 1))
    assert lessons.library([tmp_path])[0]["mine"].title == "U"
