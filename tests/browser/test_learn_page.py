"""The lessons in a real browser: drag, predict, solve, and be told at once."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]
STAGE = ".stage svg.figure"


def fact(page: Page, words: str) -> Locator:
    return page.locator(".stage .facts > div", has=page.locator("dt", has_text=words)).locator("dd")


def number(page: Page, words: str) -> float:
    return float(re.sub(r"[^\d.−]", "", fact(page, words).inner_text()).replace("−", "-"))


def put(page: Page, dial: str, index: int) -> None:
    """Turn a dial as a hand does: many events, then one release."""
    page.get_by_role("slider", name=dial).evaluate(
        "(input, index) => { input.value = index; input.dispatchEvent(new Event('input'));"
        " input.dispatchEvent(new Event('change')); }",
        index,
    )


def test_the_list_and_the_first_lesson(visit) -> None:
    here = visit()
    page = here.open("/learn", drawn=".st-key-learn-cards h3")
    assert len(page.locator(".st-key-learn-cards h3").all()) == 6
    here.shot("learn-list-light-1280")
    page.get_by_role("button", name="Begin").first.click()
    page.wait_for_selector(STAGE, timeout=30_000)
    assert "lesson=softmax" in here.settled().url
    page.get_by_role("button", name="it stays").click()
    expect(page.get_by_text("Class answers:")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("Right.")).to_be_visible()
    here.shot("learn-predict-light-1280")


def test_dragging_answers_at_once_and_the_task_is_checked_on_release(visit) -> None:
    here = visit()
    page = here.open("/learn?lesson=energy&step=5", drawn=STAGE)
    before, outline = number(page, "FPR95"), page.locator(".area.id").get_attribute("d")
    dial = page.get_by_role("slider", name="Temperature T")
    box = dial.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.85 * box["width"], box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.24 * box["width"], box["y"] + box["height"] / 2, steps=20)
    page.wait_for_timeout(60)
    assert number(page, "FPR95") < 40 < before
    assert page.locator(".area.id").get_attribute("d") != outline
    assert "temperature=" not in page.url
    expect(page.get_by_text("Not yet.")).to_be_visible()
    page.mouse.up()
    expect(page.get_by_text("Solved.")).to_be_visible(timeout=30_000)
    page.wait_for_url(re.compile(r"temperature=[\d.]+"))
    shown = number(page, "FPR95")
    expect(page.get_by_text(f"FPR95 is {shown:.1f} %")).to_be_visible()
    here.shot("learn-task-light-1280")
    dial.focus()
    page.keyboard.press("End")
    expect(page.get_by_text("Not yet.")).to_be_visible(timeout=30_000)


def test_every_move_of_a_drag_is_drawn_in_its_frame_and_only_the_release_reaches_the_server(visit) -> None:
    here, sent = visit(), []
    here.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    page = here.open("/learn?lesson=balance&step=4", drawn=STAGE)
    assert sent
    dial = page.get_by_role("slider", name="γ")
    box = dial.bounding_box()
    assert box is not None
    height = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.05 * box["width"], height)
    page.mouse.down()
    sent.clear()
    drawn: dict[str, set[str]] = {}
    for step in range(24):
        page.mouse.move(box["x"] + (0.05 + 0.9 * step / 23) * box["width"], height)
        value, drawing = dial.evaluate(
            """async (input) => {
              await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
              return [input.value, input.getRootNode().querySelector(".views").innerHTML];
            }"""
        )
        drawn.setdefault(value, set()).add(drawing)
    assert len(drawn) >= 10
    assert all(len(drawings) == 1 for drawings in drawn.values())
    assert len(set().union(*drawn.values())) == len(drawn)
    assert sent == []
    page.mouse.up()
    page.wait_for_url(re.compile(r"gamma=[\d.]+"))
    assert sent


def test_a_link_restores_dials_and_picture_which_answer_to_the_keyboard(visit) -> None:
    here = visit()
    page = here.open("/learn?lesson=energy&step=4&temperature=4&picture=coffee", drawn=STAGE)
    expect(page.locator(".chosen b")).to_have_text("coffee")
    expect(page.locator(".sum")).to_contain_text("E = −4 · log(")
    energy = number(page, "this picture’s energy")
    page.locator(".strip button[aria-checked=true]").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".chosen b")).to_have_text("triangle")
    assert number(page, "this picture’s energy") != energy
    page.wait_for_url(re.compile("picture|temperature=4$"))
    page.keyboard.press("Control+ArrowRight")
    expect(page.get_by_role("heading", name="Find a good temperature")).to_be_visible(timeout=30_000)
    assert "picture=" not in page.url


def test_what_the_stage_shows_can_be_taken_home(visit) -> None:
    here = visit()
    page = here.open("/learn?lesson=clusters&step=3", drawn=STAGE)
    with page.expect_download() as waiting:
        page.get_by_role("group", name=re.compile("Save lesson clusters 3")).get_by_role("button", name="SVG").click()
    drawn = waiting.value.path().read_text("utf-8")
    assert drawn.count("<circle") > 250
    with page.expect_download() as waiting:
        page.get_by_role("group", name=re.compile("Save lesson clusters 3")).get_by_role("button", name="CSV").click()
    assert "distance to the nearest centre" in waiting.value.path().read_text("utf-8-sig").splitlines()[0]
    here.shot("learn-clusters-light-1280")


@pytest.mark.parametrize(
    ("lesson", "step", "scheme"),
    [("balance", 6, "dark"), ("featurenorm", 3, "light")],
)
def test_lessons_as_they_look(visit, lesson: str, step: int, scheme: str) -> None:
    here = visit(scheme=scheme)
    page = here.open(f"/learn?lesson={lesson}&step={step}", drawn=STAGE)
    assert page.locator(STAGE).count() >= 1
    here.shot(f"learn-{lesson}-{scheme}-1280")


def test_a_room_looks_on(visit) -> None:
    here = visit()
    page = here.open("/learn?lesson=margins&step=3&present=1", drawn=STAGE)
    expect(page.locator("[data-testid=stHeader]")).to_be_hidden()
    here.shot("learn-present-light-1280")
    page.keyboard.press("PageDown")
    expect(page.get_by_role("heading", name="The loss, with this picture")).to_be_visible(timeout=30_000)
    assert "present=1" in page.url


def test_the_end_leads_on(visit) -> None:
    here = visit()
    page = here.open("/learn?lesson=softmax&step=6", drawn=".st-key-learn-end")
    here.shot("learn-end-light-1280")
    page.locator(".st-key-learn-on").get_by_role("link").click()
    page.wait_for_selector(".board .card", timeout=60_000)
    score = page.get_by_role("combobox", name=re.compile("Score that decides"))
    expect(score).to_have_value("Maximum softmax probability")
    expect(page.locator("figcaption")).to_contain_text("Maximum softmax probability score")
    assert "scorer=msp" in here.settled().url


@pytest.mark.parametrize(
    ("link", "scheme"),
    [
        ("lesson=energy&step=5", "dark"),
        ("lesson=balance&step=4", "light"),
    ],
)
def test_nothing_is_cut_on_a_phone(visit, link: str, scheme: str) -> None:
    here = visit(width=390, scheme=scheme)
    page = here.open(f"/learn?{link}", drawn=STAGE)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
    assert (
        page.locator(".stage svg text").evaluate_all(
            "texts => texts.filter(part => part.getBoundingClientRect().right > 378).map(part => part.textContent)"
        )
        == []
    )
    outside = page.locator(".stage").evaluate(
        "stage => [...stage.querySelectorAll('*')].filter(part => part.getBoundingClientRect().right > 391).length"
    )
    assert outside == 0
    text, stage = (page.locator(f".st-key-learn-{part}").bounding_box() for part in ("text", "stage"))
    assert text is not None
    assert stage is not None
    assert stage["y"] >= text["y"] + text["height"]
    here.shot(f"learn-{link.split('=')[1].split('&')[0]}-{scheme}-390")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_list_on_a_phone(visit, scheme: str) -> None:
    here = visit(width=390, scheme=scheme)
    page = here.open("/learn", drawn=".st-key-learn-cards h3")
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
    here.shot(f"learn-list-{scheme}-390")


def test_the_list_in_the_dark(visit) -> None:
    here = visit(scheme="dark")
    page = here.open("/learn", drawn=".st-key-learn-cards h3")
    expect(page.locator(".st-key-learn-cards h3")).to_have_count(6)
    here.shot("learn-list-dark-1280")
