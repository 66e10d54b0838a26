"""What pages share: the visitor's photos, what a link chooses, and what is forgotten when another page opens."""

import asyncio
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import app
from app import state
from app.components.board import Chosen, board
from app.services import lessons, sheets

MAIN = str(Path(app.__file__).with_name("main.py"))
PAGES = {"score": "uploads", "blocks": "block-photos", "clusters": "map-photos"}
"""Page → key of its uploader."""
SHAPES = "shapes-resnet20w4"


def opened(**query: str | list[str]) -> AppTest:
    page = AppTest.from_file(MAIN, default_timeout=60)
    page.query_params.update({"checkpoint": SHAPES, "with": ""} | query)
    return page


def go(page: AppTest, name: str, **query: str | list[str]) -> AppTest:
    """By the navigation, or by a link."""
    page.query_params.clear()
    page.query_params.update(query)
    page.switch_page(f"views/{name}.py").run()
    assert not page.exception
    return page


def drop(page: AppTest, name: str, *files: str) -> None:
    page.file_uploader(key=PAGES[name]).set_value([(file, picture(file), "image/png") for file in files]).run()
    assert not page.exception


def picture(seed: str) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (50, 40), (sum(map(ord, seed)) % 256, len(seed), 90)).save(data, "PNG")
    return data.getvalue()


def on_the_board(page: AppTest) -> list[str]:
    frame = page.dataframe[0].value
    return sorted(frame["Picture"][frame["From"] == "yours"])


def buttons(page: AppTest) -> list[str]:
    return [button.label for button in page.button if button.label.startswith("Forget")]


def told(page: AppTest) -> str:
    return " ".join(box.value for box in (*page.info, *page.warning, *page.error))


@pytest.fixture
def boards(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What each drawing of the board opened with."""
    drawn: list[dict[str, Any]] = []

    def noted(shown: Any, **opening: Any) -> Chosen:
        drawn.append(opening | {"levels": shown["levels"]})
        return board(shown, **opening)

    monkeypatch.setattr("app.components.board.board", noted)
    return drawn


# ---- photos


def test_photos_of_the_first_page_are_there_again_after_another_page(served: Path) -> None:
    page = opened().run()
    drop(page, "score", "mine.png", "other.png")
    go(page, "learn")
    go(page, "score", **{"with": ""})
    assert on_the_board(page) == ["mine.png", "other.png"]


def test_photos_of_another_page_are_on_the_board(served: Path) -> None:
    page = opened().run()
    go(page, "blocks")
    drop(page, "blocks", "mine.png")
    go(page, "score", **{"with": ""})
    assert on_the_board(page) == ["mine.png"]


def test_a_photo_taken_out_of_the_uploader_is_gone_and_the_others_stay(served: Path) -> None:
    page = opened().run()
    go(page, "blocks")
    drop(page, "blocks", "earlier.png")
    go(page, "score", **{"with": ""})
    drop(page, "score", "mine.png", "other.png")
    assert on_the_board(page) == ["earlier.png", "mine.png", "other.png"]
    drop(page, "score", "other.png")
    assert on_the_board(page) == ["earlier.png", "other.png"]


@pytest.mark.parametrize("name", PAGES)
def test_all_photos_are_forgotten_on_request(served: Path, name: str) -> None:
    page = opened().run()
    assert buttons(page) == []
    drop(page, "score", "mine.png", "other.png")
    if name != "score":
        go(page, name)
    assert buttons(page) == ["Forget my 2 photos"]
    page.button(key=f"forget-{PAGES[name]}").click().run()
    assert not page.exception
    assert buttons(page) == []
    go(page, "score", **{"with": ""})
    assert on_the_board(page) == []
    page.file_uploader(key="uploads-1").set_value([("new.png", picture("new.png"), "image/png")]).run()
    assert on_the_board(page) == ["new.png"]


def test_a_photo_that_had_to_make_room_is_told_once(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.services import samples
    from app.services.memory import Shelf

    monkeypatch.setattr(samples, "_UPLOADS", Shelf(len(picture("mine.png")) + 20))
    page = opened().run()
    drop(page, "score", "mine.png")
    other = opened().run()
    drop(other, "score", "newer.png")
    assert on_the_board(other) == ["newer.png"]
    go(page, "learn")
    go(page, "score", **{"with": ""})
    assert on_the_board(page) == []
    assert "'mine.png' had to make room" in told(page)
    assert told(page.run()) == ""


@pytest.mark.parametrize("name", PAGES)
def test_no_session_sees_the_photos_of_another_one(served: Path, name: str) -> None:
    def shown(page: AppTest) -> str:
        words = [part.value for part in (*page.markdown, *page.caption, *page.info, *page.warning)]
        tables = [frame.value.to_csv() for frame in page.dataframe]
        choices = [option for pills in page.pills for option in pills.options]
        return " ".join([*words, *tables, *choices, *buttons(page)]) + page.get("component_v2").__repr__()

    mine, other = opened().run(), opened().run()
    drop(mine, "score", "secret.png")
    assert "secret.png" in shown(mine)
    for page in (mine, other):
        if name != "score":
            go(page, name)
    assert ("secret.png" in shown(mine)) or "Your photos (1)" in shown(mine)
    assert "secret.png" not in shown(other)
    assert "Your photos" not in shown(other)
    assert buttons(other) == []


def test_no_address_gives_a_visitors_photo(served: Path) -> None:
    from hashlib import sha256

    from starlette.requests import Request

    from app.asgi import sheet, thumbnail

    page = opened().run()
    drop(page, "score", "secret.png")
    go(page, "clusters")
    key = sha256(picture("secret.png")).hexdigest()
    for shortened in (key, key[:40], key[:12], "secret", "secret.png"):
        asked = {"key": shortened, "name": shortened, "split": "test", "number": 0}
        request = Request({"type": "http", "path_params": asked})
        assert asyncio.run(sheet(request)).status_code == 404
        assert thumbnail(request).status_code == 404
        assert sheets.content(shortened) is None


# ---- what is forgotten


def test_the_dial_and_the_numbers_agree_after_another_page(served: Path, boards: list[dict[str, Any]]) -> None:
    page = opened(keep="80").run()
    levels = boards[-1]["levels"]
    assert levels[boards[-1]["level"]] == pytest.approx(0.8)
    go(page, "learn")
    go(page, "score", **{"with": ""})
    assert levels[boards[-1]["level"]] == pytest.approx(0.95)
    assert any("The line is your setting, 95.0 %" in caption.value for caption in page.caption)
    go(page, "learn")
    go(page, "score", **{"with": "", "keep": "70"})
    assert levels[boards[-1]["level"]] == pytest.approx(0.7)
    assert any("The line is your setting, 70.0 %" in caption.value for caption in page.caption)


def test_while_the_board_stands_it_is_sent_the_same_opening(served: Path, boards: list[dict[str, Any]]) -> None:
    page = opened(keep="80").run()
    page.query_params["keep"] = "60"
    page.run()
    assert boards[-1]["level"] == boards[0]["level"]


def test_a_lesson_opens_where_its_link_says_though_it_was_open_before(
    served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.widgets import learn

    places: list[float] = []
    staged = learn.staged

    def noted(lesson: Any, now: int, step: Any, scene: Any, opened: Any, large: bool) -> dict[str, int]:
        places.append(scene.dials["temperature"].values[opened["temperature"]])
        return staged(lesson, now, step, scene, opened, large)

    monkeypatch.setattr(learn, "staged", noted)
    page = opened().run()
    for temperature in ("4", "0.5"):
        go(page, "learn", lesson="energy", step="4", temperature=temperature)
        assert places[-1] == float(temperature)
        go(page, "blocks")


def test_the_panels_of_the_prior_open_where_the_link_says(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.components import prior

    gammas: list[float] = []
    drawn = prior.prior

    def noted(panels: Any, *, opened: Any, **more: Any) -> Any:
        gammas.append(opened.gamma)
        return drawn(panels, opened=opened, **more)

    monkeypatch.setattr(prior, "prior", noted)
    page = opened().run()
    go(page, "prior", checkpoint=SHAPES, gamma="2")
    go(page, "learn")
    go(page, "prior", checkpoint=SHAPES, gamma="1")
    assert gammas == [2, 1]


def test_the_maps_take_their_colours_from_the_link_again(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.components import points

    colours: list[str] = []
    drawn = points.points

    def noted(panels: Any, groups: Any, *, colour: str, **more: Any) -> Any:
        colours.append(colour)
        return drawn(panels, groups, colour=colour, **more)

    monkeypatch.setattr(points, "points", noted)
    page = opened().run()
    go(page, "clusters", colour="energy")
    go(page, "learn")
    go(page, "clusters")
    assert colours == ["energy", "class"]


def test_the_picture_that_was_chosen_last_can_be_chosen_again(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picked: list[str] = []

    def tray(thumbs: Sequence[Any], **_: Any) -> str | None:
        picked[:] = picked or [thumbs[-1].id]
        return picked[0] if clicked else None

    monkeypatch.setattr("app.components.tray.tray", tray)
    page, clicked = opened().run(), True
    go(page, "blocks")
    assert picked[0].startswith(page.query_params["photo"])
    clicked = False
    go(page, "learn")
    go(page, "blocks")
    assert "photo" not in page.query_params
    clicked = True
    assert picked[0].startswith(page.run().query_params["photo"])


# ---- links


def test_a_link_names_the_score_that_decides(served: Path) -> None:
    page = opened(scorer="msp").run()
    assert page.selectbox(key=state.SCORER).value == "msp"
    assert page.query_params["scorer"] == "msp"
    page.selectbox(key=state.SCORER).set_value("knn").run()
    assert page.query_params["scorer"] == "knn"
    page.selectbox(key=state.SCORER).set_value("energy").run()
    assert "scorer" not in page.query_params


def test_a_link_names_sets_pictures_and_listed_scores(served: Path) -> None:
    page = opened(against="shapes-far", show=["textures", "photographs"], also=["gen", "msp"]).run()
    assert told(page) == ""
    assert page.selectbox(key=state.AGAINST).value == "shapes-far"
    assert set(page.dataframe[0].value["From"]) == {"texture", "photograph"}
    assert list(page.dataframe[0].value)[-3:] == ["energy", "gen", "msp"]
    assert page.query_params["show"] == ["textures", "photographs"]
    assert page.query_params["also"] == ["gen", "msp"]


def test_none_is_a_choice_too(served: Path) -> None:
    page = opened(show="").run()
    assert "No pictures yet" in told(page)
    go(page, "learn")
    go(page, "score", **{"with": ""})
    assert "No pictures yet" in told(page)
    assert page.query_params["show"] == ""


def test_the_link_follows_what_is_chosen_on_other_pages(served: Path) -> None:
    page = opened().run()
    go(page, "blocks", against="shapes-near")
    assert page.selectbox(key=state.AGAINST).value == "shapes-near"
    go(page, "clusters", space="features", **{"beside-space": "features"})
    assert page.button_group(key=state.SECOND_SPACE).value == "features"
    assert page.query_params["beside-space"] == "features"


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [("scorer", "no-such", "Energy"), ("against", "![x](https://example.org/x.png)", "Other drawn figures")],
)
def test_what_a_link_asks_for_in_vain_is_told(served: Path, key: str, value: str, shown: str) -> None:
    page = opened(**{key: value}).run()
    assert not page.exception
    assert "which this checkpoint does not have" in told(page)
    assert shown in told(page)
    assert "![x](" not in told(page)
    assert key not in page.query_params


def test_a_choice_outlives_another_page_but_not_another_link(served: Path) -> None:
    page = opened().run()
    page.selectbox(key=state.SCORER).set_value("knn").run()
    go(page, "learn")
    go(page, "score", **{"with": ""})
    assert page.selectbox(key=state.SCORER).value == "knn"
    assert page.query_params["scorer"] == "knn"
    go(page, "learn")
    go(page, "score", scorer="msp", **{"with": ""})
    assert page.selectbox(key=state.SCORER).value == "msp"


def test_pictures_that_nobody_chose_follow_the_network(served: Path) -> None:
    page = opened().run()
    assert page.pills(key=state.SHOW).value == ["shapes", "new", "textures"]
    page.selectbox(key=state.CHECKPOINT).set_value("cifar10-resnet20").run()
    assert not page.exception
    assert "photographs" in page.pills(key=state.SHOW).value
    assert "show" not in page.query_params


@pytest.mark.parametrize("lesson", lessons.library()[0].values(), ids=lambda lesson: lesson.name)
def test_the_end_of_a_lesson_leads_to_what_it_speaks_of(served: Path, lesson: lessons.Lesson) -> None:
    kept = lesson.remember
    page = opened().run()
    go(page, "learn", lesson=lesson.name)
    go(page, kept.page, **kept.query)
    assert told(page) == ""
    for key, value in kept.query.items():
        assert page.selectbox(key=key).value == value


@pytest.mark.parametrize("name", ["score", "blocks", "clusters", "prior"])
def test_words_of_a_link_are_no_markup(served: Path, name: str) -> None:
    page = opened().run()
    go(page, "learn")  # a page with a choice of the same name keeps its own
    go(page, name, checkpoint="![x](https://example.org/x.png)", **{"with": "<b>![y](https://example.org/y.png)"})
    assert "which is not on this server" in told(page)
    assert "![" not in told(page).replace("!\\[", "")


def test_the_picture_that_is_looked_at_stands_in_the_link(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    openings: list[str | None] = []
    clicked: list[str] = []

    def noted(shown: Any, *, selected: str | None, **more: Any) -> Chosen:
        openings.append(selected)
        if clicked == ["last"]:
            clicked[:] = [shown["photos"][-1]["id"]]
        return Chosen(None, None, clicked[0] if clicked else None)

    monkeypatch.setattr("app.components.board.board", noted)
    page = opened().run()
    assert openings == [None]
    assert "photo" not in page.query_params
    clicked[:] = ["last"]
    page.run()
    photo = page.query_params["photo"]
    assert clicked[0].startswith(photo)
    looked_at = page.markdown
    words = [text.value for text in looked_at]
    clicked.clear()
    other = opened(photo=photo).run()
    assert openings[-1] is not None
    assert openings[-1].startswith(photo)
    assert [text.value for text in other.markdown] == words
