"""What a link carries: every choice, also where it changes within a session, and a word on what is nonsense."""

from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import app
from app import state
from app.components.points import Chosen, points
from app.services import jobs

MAIN = str(Path(app.__file__).with_name("main.py"))
SHAPES = "shapes-resnet20w4"
pytestmark = pytest.mark.usefixtures("served")


def opened(name: str, **query: str | list[str]) -> AppTest:
    page = AppTest.from_file(MAIN, default_timeout=300)
    run(page.switch_page("views/learn.py"))  # only a page that runs knows pages by their files
    page.switch_page(f"views/{name}.py")
    page.query_params.update({key.replace("_", "-"): value for key, value in query.items()})
    return run(page)


def run(part: Any) -> AppTest:
    """Of a page, or of a widget on it."""
    page: AppTest = part.run()
    assert not page.exception
    return page


def go(page: AppTest, name: str) -> None:
    """By the navigation."""
    page.query_params.clear()
    run(page.switch_page(f"views/{name}.py"))


def told(page: AppTest) -> str:
    return " ".join(box.value for box in (*page.info, *page.warning, *page.error))


def left_out(page: AppTest) -> str:
    return " ".join(box.value for box in page.caption if "Left out of this link" in box.value).replace("\\", "")


# ---- what the page itself wrote is nothing that a link asked for


def test_another_checkpoint_than_the_chosen_outliers_belong_to_blames_no_link() -> None:
    page = opened("score", checkpoint=SHAPES, **{"with": ""})
    page.selectbox(key=state.AGAINST).set_value("shapes-aux-50").run()
    page.multiselect(key=state.BESIDE).set_value(["semantic"]).run()
    run(page.selectbox(key=state.CHECKPOINT).set_value("tiny"))
    assert told(page) == ""
    assert state.AGAINST not in page.query_params


def test_what_a_link_asks_for_in_vain_is_told_until_somebody_chooses() -> None:
    page = opened("score", checkpoint=SHAPES, scorer="no-such", **{"with": ""})
    assert "'no-such'" in told(page)
    page.pills(key=state.SHOW).set_value(["textures"]).run()
    assert "'no-such'" in told(page)
    page.selectbox(key=state.SCORER).set_value("msp").run()
    assert told(page) == ""


def test_another_loss_than_the_setting_belongs_to_blames_no_link() -> None:
    page = opened("finetune", checkpoint=SHAPES)
    page.selectbox(key=state.PRESET).set_value("cifar10-wrn-40-2-energy").run()
    assert page.query_params["setting"] == "cifar10-wrn-40-2-energy"
    run(page.segmented_control(key=state.LOSS).set_value("outlier_exposure"))
    assert "This link asks for" not in told(page)
    assert state.PRESET not in page.query_params


# ---- a link that changes within a session


def test_outliers_of_the_prior_follow_a_link_and_outlive_another_page() -> None:
    page = opened("prior", checkpoint=SHAPES)
    page.query_params["outliers"] = "shapes-aux-50"
    assert run(page).selectbox(key="outliers").value == "shapes-aux-50"
    go(page, "learn")
    go(page, "prior")
    assert page.selectbox(key="outliers").value == "shapes-aux-50"
    assert page.query_params["outliers"] == "shapes-aux-50"


def test_the_table_of_the_benchmark_follows_a_link_and_outlives_another_page() -> None:
    page = opened("benchmark", results="cards-shapes")
    page.query_params["rows"] = "test"
    assert run(page).segmented_control(key="rows").value == "test"
    page.segmented_control(key="metric").set_value("fpr").run()
    go(page, "learn")
    go(page, "benchmark")
    assert page.selectbox(key="results").value == "cards-shapes"
    assert (page.segmented_control(key="rows").value, page.segmented_control(key="metric").value) == ("test", "fpr")
    assert page.query_params["rows"] == "test"


# ---- nonsense


def test_one_sentence_tells_of_all_parts_that_mean_nothing() -> None:
    page = opened("benchmark", metric="<b>no</b>", rows="x", cell="a|b|c")
    assert "metric=<b>no</b>, rows=x, cell=a|b|c." in left_out(page)
    assert not {"metric", "rows", "cell"} & set(page.query_params)
    assert left_out(opened("benchmark", metric="fpr")) == ""


def test_the_sentence_stays_when_the_page_runs_again_and_goes_with_a_choice() -> None:
    page = run(opened("checkpoints", view="no-such"))
    assert "view=no-such." in left_out(page)
    assert left_out(run(page.segmented_control(key="view").set_value("own"))) == ""


@pytest.mark.parametrize("name", ["score", "blocks"])
def test_a_picture_that_is_not_in_this_session_is_told(name: str) -> None:
    page = opened(name, checkpoint=SHAPES, photo="0123456789ab", **{"with": ""})
    assert "The picture that this link looks at is not here" in told(page)
    page = opened(name, checkpoint=SHAPES, photo="zzz", **{"with": ""})
    assert told(page) == ""
    assert "photo=zzz." in left_out(page)
    assert "photo" not in page.query_params


def test_the_link_says_where_the_dial_stands() -> None:
    page = opened("score", checkpoint=SHAPES, keep="99.99", **{"with": ""})
    assert page.query_params["keep"] == "99.5"


def test_colours_and_sets_that_no_map_knows_are_told() -> None:
    page = opened("clusters", colour="mood", hidden=["shapes-far", "nowhere"], space="outer")
    assert all(part in left_out(page) for part in ("colour=mood", "hidden=nowhere", "space=outer"))
    assert page.query_params["hidden"] == "shapes-far"
    run(page.selectbox(key=state.CHECKPOINT).set_value("cifar10-resnet20"))
    assert "shapes-far" not in left_out(page)


# ---- what else is in the link


def test_odin_is_added_where_the_link_says_so() -> None:
    page = opened("blocks", checkpoint="tiny", odin="1")
    assert list(page.dataframe[1].value["Score"])[-1] == "ODIN"
    assert page.query_params["odin"] == "1"


def test_the_form_of_an_evaluation_is_in_the_link() -> None:
    page = opened("benchmark", measure_limit="500", measure_ood="shapes-far", measure_scorers=["msp", "knn"])
    assert page.segmented_control(key="measure-limit").value == "500"
    assert page.multiselect(key="measure-ood").value == ["shapes-far"]
    assert page.multiselect(key="measure-scorers").value == ["msp", "knn"]
    page.selectbox(key="measure-rule").set_value("nearest").run()
    page.multiselect(key="measure-checkpoints").set_value([f"{SHAPES}-energy"]).run()
    assert page.query_params["measure-rule"] == "nearest"
    assert page.query_params["measure-checkpoints"] == f"{SHAPES}-energy"


def test_a_checkpoint_is_looked_at_as_the_link_says() -> None:
    page = opened("checkpoints", view="one", checkpoint=SHAPES, scorer_measured="msp", tab="Measured")
    assert page.selectbox(key="scorer-measured").value == "msp"
    assert page.query_params["tab"] == "Measured"
    page = opened("checkpoints", view="own", way="path")
    assert [field.key for field in page.text_input] == ["weights-path"]


@pytest.fixture
def maps(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the maps opened with last; `told` is what the browser says next."""
    seen: dict[str, Any] = {"told": None}

    def drawn(panels: Any, groups: Any, **more: Any) -> Chosen:
        seen.update(more)
        chosen = points(panels, groups, **more)
        return chosen._replace(**seen["told"]) if seen["told"] else chosen

    monkeypatch.setattr("app.components.points.points", drawn)
    return seen


def test_a_few_selected_images_and_their_order_are_in_the_link(maps: dict[str, Any]) -> None:
    page = opened("clusters", checkpoint=SHAPES, selected=["shapes/3,7", "nowhere/1"], order="b-energy-lowest")
    assert maps["selected"] == {"shapes:2000": [3, 7]}
    assert maps["sort"] == "1 energy -1"
    assert "selected=nowhere/1." in left_out(page)
    assert page.query_params["selected"] == "shapes/3,7"
    maps["told"] = {"rows": {"shapes:2000": [9, 2], "shapes-far:2000": [4]}, "sort": "0 energy -1"}
    run(page)
    assert page.query_params["selected"] == ["shapes/2,9", "shapes-far/4"]
    assert page.query_params["order"] == "a-energy-lowest"
    maps["told"] = {"rows": {"shapes:2000": list(range(41))}}
    assert "selected" not in run(page).query_params


def test_a_selected_class_is_in_the_link(maps: dict[str, Any]) -> None:
    page = opened("clusters", checkpoint=SHAPES, selected_class="ring")
    rows = maps["selected"]["shapes:2000"]
    assert len(rows) > 40
    assert page.query_params["selected-class"] == "ring"
    maps["told"] = {"rows": {"shapes:2000": rows[:5]}}
    run(page)
    assert "selected-class" not in page.query_params
    assert page.query_params["selected"].count(",") == 4
    maps["told"] = {"rows": {"shapes:2000": rows}}
    assert run(page).query_params["selected-class"] == "ring"


def test_all_classes_of_the_prior_are_shown_where_the_link_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from app.components import prior

    whole: list[bool] = []
    drawn = prior.prior

    def noted(panels: Any, *, opened: Any, **more: Any) -> Any:
        whole.append(opened.whole)
        return drawn(panels, opened=opened, **more)

    monkeypatch.setattr(prior, "prior", noted)
    assert opened("prior", checkpoint=SHAPES, classes="all").query_params["classes"] == "all"
    opened("prior", checkpoint=SHAPES)
    assert whole == [True, False]


# ---- who answered is known again


def test_a_visitor_answers_once_also_after_a_refresh() -> None:
    page = opened("learn", lesson="softmax", step="1")
    run(page.button(key="option-softmax-1-1").click())
    token = page.session_state[jobs.OWNER]
    again = AppTest.from_file(MAIN, default_timeout=100)
    again.session_state[jobs.OWNER] = token
    again.switch_page("views/learn.py")
    again.query_params.update({"lesson": "softmax", "step": "1"})
    run(again)
    assert not [button for button in again.button if button.key.startswith("option-")]
    other = opened("learn", lesson="softmax", step="1")
    assert [button for button in other.button if button.key.startswith("option-")]
