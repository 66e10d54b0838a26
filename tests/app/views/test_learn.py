"""The Learn page's logic, without a browser."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import app
from app.services import lessons

MAIN = str(Path(app.__file__).with_name("main.py"))
VIEW = str(Path(app.__file__).parent / "views" / "learn.py")
NAMES = list(lessons.library([lessons.folders()[0]])[0])
SCREENS = [(name, number) for name in NAMES for number in range(1, lessons.library()[0][name].screens + 1)]


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """Counting in a folder of its own."""
    monkeypatch.setenv("OOD_CACHE", str(tmp_path))
    return AppTest.from_file(VIEW, default_timeout=60)


def opened(page: AppTest, **link: object) -> AppTest:
    page.query_params.clear()
    for key, value in link.items():
        page.query_params[key] = str(value)
    page.run()
    assert not page.exception
    return page


def words(page: AppTest) -> str:
    return " ".join(part.value for part in page.markdown)


def sentences(page: AppTest) -> str:
    return " ".join(box.value for box in (*page.info, *page.warning, *page.error))


def test_the_list_offers_every_lesson_and_one_to_begin_with(page: AppTest) -> None:
    opened(page)
    assert sentences(page) == ""
    begins = [button for button in page.button if button.key.startswith("begin-")]
    assert [button.key.removeprefix("begin-") for button in begins] == NAMES


@pytest.mark.parametrize(("name", "number"), SCREENS)
def test_every_screen_opens(page: AppTest, name: str, number: int) -> None:
    opened(page, lesson=name, step=number)
    assert sentences(page) == ""
    lesson = lessons.library()[0][name]
    headings = [heading.value for heading in page.subheader]
    assert headings == [lesson.steps[number - 1].title if number < lesson.screens else "What to remember"]
    assert "[[" not in words(page)


def test_next_and_back_go_through_the_steps(page: AppTest) -> None:
    opened(page, lesson="energy", step=1)
    assert page.button(key="learn-previous").disabled
    page.button(key="learn-next").click().run()
    assert page.subheader[0].value == "Turn the temperature"
    page.button(key="learn-previous").click().run()
    assert page.subheader[0].value == "One number from all logits"


def test_after_the_end_comes_the_next_lesson_and_after_the_last_none(page: AppTest) -> None:
    opened(page, lesson="softmax", step=6)
    page.button(key="learn-next").click().run()
    assert page.title[0].value == "Energy"
    opened(page, lesson="featurenorm", step=6)
    assert "learn-next" not in [button.key for button in page.button]


def test_a_prediction_is_answered_once_and_counted(page: AppTest, tmp_path: Path) -> None:
    opened(page, lesson="softmax", step=1)
    options = [button for button in page.button if button.key.startswith("option-")]
    assert [button.label for button in options] == ["it goes up", "it stays", "it goes down"]
    options[1].click().run()
    assert "**Right.** Shares depend on the differences" in words(page)
    assert not [button for button in page.button if button.key.startswith("option-")]
    assert '"it stays": 1' in (tmp_path / "learn" / "answers.json").read_text()
    other = opened(AppTest.from_file(VIEW, default_timeout=60), lesson="softmax", step=1)
    other.button(key="option-softmax-1-0").click().run()
    assert "**Not quite.** It stays where it is" in words(other)
    drawn = " ".join(part.proto.body for part in other.get("html"))
    assert "Class answers: it goes up 1, it stays 1, it goes down 0" in drawn


def test_a_question_says_nothing_before_it_is_answered(page: AppTest) -> None:
    opened(page, lesson="energy", step=1)
    assert "Right" not in words(page)
    assert not [part for part in page.get("html") if "Class answers" in part.proto.body]


@pytest.mark.parametrize(("temperature", "solved"), [("1", True), ("20", False), ("7", False)])
def test_the_page_checks_the_task(page: AppTest, temperature: str, solved: bool) -> None:
    opened(page, lesson="energy", step=5, temperature=temperature)
    assert ("**Solved.** FPR95 is" in words(page)) is solved
    assert ("Not yet. Turn T down" in words(page)) is not solved
    opened(page)
    assert (page.button(key="begin-energy").label == "Again") is solved


def test_a_task_is_not_solved_when_it_opens(page: AppTest) -> None:
    for name in NAMES:
        opened(page, lesson=name, step=len(lessons.library()[0][name].steps))
        assert "Not yet." in words(page)


@pytest.mark.parametrize(
    ("link", "told"),
    [
        ({"lesson": "nothing"}, "the lesson 'nothing', which is not on this server"),
        ({"lesson": "energy", "step": 40}, "This lesson has 6 steps. Showing step 6."),
        ({"lesson": "energy", "step": 0}, "Showing step 1."),
        ({"lesson": "energy", "step": 5, "temperature": "hot"}, "goes from 0.1 to 20"),
        ({"lesson": "balance", "step": 6, "loss": "hinge"}, "No value of 'loss' is called 'hinge'"),
        ({"lesson": "energy", "step": 4, "picture": "unicorn"}, "No picture is called 'unicorn'"),
    ],
)
def test_a_link_that_makes_no_sense_is_told(page: AppTest, link: dict[str, object], told: str) -> None:
    opened(page, **link)
    assert told in sentences(page).replace("\\", "")
    assert page.title


@pytest.mark.parametrize("step", ["", "abc", "-1", "1e3", "\N{SUPERSCRIPT TWO}"])
def test_a_step_that_is_no_number_counts_as_absent(page: AppTest, step: str) -> None:
    opened(page, lesson="energy", step=step)
    assert page.subheader[0].value == "One number from all logits"


def test_a_teachers_broken_file_is_told_and_the_others_stay(page: AppTest, tmp_path: Path) -> None:
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons" / "7-mine.toml").write_text('title = "Mine"')
    opened(page)
    assert "7-mine.toml: lead is missing" in sentences(page).replace("\\", "")
    assert len([button for button in page.button if button.key.startswith("begin-")]) == len(NAMES)


def test_networks_that_are_missing_are_one_sentence(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    from oodcore import checkpoint

    monkeypatch.setattr(checkpoint, "known", dict)
    opened(page, lesson="energy", step=2)
    assert "The lessons need the networks of drawn shapes" in sentences(page)


def test_presenting_is_a_link(page: AppTest) -> None:
    opened(page, lesson="energy", step=2, present=1)
    assert page.button(key="learn-present").label == "Leave presenting"
    page.button(key="learn-next").click().run()
    assert page.button(key="learn-present").label == "Leave presenting"


@pytest.mark.parametrize("name", NAMES)
def test_the_end_leads_to_a_page_of_the_app(name: str) -> None:
    assert f"views/{lessons.library()[0][name].remember.page}.py" in Path(MAIN).read_text("utf-8")
