"""The page's logic, without a browser."""

import io
import json
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

import app
from app import state

MAIN = str(Path(app.__file__).with_name("main.py"))


@pytest.fixture
def page(served: Path) -> AppTest:
    """Opened on the throw-away checkpoint."""
    opened = AppTest.from_file(MAIN, default_timeout=60)
    opened.query_params["checkpoint"] = "tiny"
    return opened


def picture(colour: str = "red") -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (50, 40), colour).save(data, "PNG")
    return data.getvalue()


def sentences(page: AppTest) -> str:
    return " ".join(box.value for box in (*page.info, *page.warning, *page.error))


def decisions(page: AppTest) -> dict[str, str]:
    frame = page.dataframe[0].value
    return dict(zip(frame["Picture"] + "/" + frame["From"], frame["Decision"], strict=True))


def test_the_page_opens_with_known_and_unknown_pictures(page: AppTest) -> None:
    page.run()
    assert not page.exception
    assert sentences(page) == ""
    assert set(page.dataframe[0].value["From"]) == {"known shape", "new shape", "texture"}
    assert page.selectbox(key="scorer").value == "energy"


def test_a_stricter_link_flags_more(page: AppTest) -> None:
    page.query_params["keep"] = "50"
    strict = decisions(page.run())
    page.query_params["keep"] = "99.5"
    lenient = decisions(AppTest.run(page))
    assert strict.keys() == lenient.keys()
    assert list(strict.values()).count("flagged") > list(lenient.values()).count("flagged")
    assert all(strict[name] == "flagged" for name, word in lenient.items() if word == "flagged")


@pytest.mark.parametrize("nonsense", ["abc", "-3", "500", "nan", ""])
def test_nonsense_in_the_link_counts_as_absent(page: AppTest, nonsense: str) -> None:
    page.query_params["keep"] = nonsense
    page.run()
    assert not page.exception
    assert "95.0 %" in " ".join(text.value for text in page.caption)


def test_a_link_to_a_checkpoint_that_is_not_here(page: AppTest) -> None:
    page.query_params["checkpoint"] = "no-such"
    page.run()
    assert "'no-such', which is not on this server. Showing '" in sentences(page)
    assert page.selectbox(key="checkpoint").value in sentences(page)


def test_good_and_broken_uploads(page: AppTest) -> None:
    page.run()
    page.file_uploader(key="uploads").set_value(
        [("mine.png", picture(), "image/png"), ("broken.png", b"no picture", "image/png")]
    ).run()
    assert not page.exception
    assert decisions(page).keys() >= {"mine.png/yours"}
    assert "broken" in sentences(page)
    assert "not a picture" in sentences(page)
    assert "The other one was added." in sentences(page)


def test_every_upload_broken(page: AppTest) -> None:
    page.run()
    page.file_uploader(key="uploads").set_value([("broken.png", b"no picture", "image/png")]).run()
    assert "None was added." in sentences(page)
    assert not page.exception


def test_a_name_full_of_markup_is_shown_as_it_stands(page: AppTest) -> None:
    page.run()
    page.file_uploader(key="uploads").set_value([("<b>*x*</b>$y$.png", b"zzz", "image/png")]).run()
    assert r"\<b\>\*x\*" in page.warning[0].value


def test_no_pictures_at_all(page: AppTest) -> None:
    page.run()
    page.pills(key="show").set_value([]).run()
    assert "No pictures yet" in sentences(page)
    assert not page.exception


def test_photographs_come_in_one_click_and_the_page_says_what_to_expect(page: AppTest) -> None:
    page.run()
    page.pills(key="show").set_value(["photographs"]).run()
    assert set(page.dataframe[0].value["From"]) == {"photograph"}
    assert any("Most photographs show something else" in caption.value for caption in page.caption)


def test_another_score_decides_without_another_pass(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.services import resources

    page.run()
    monkeypatch.setattr(resources, "outputs_of", lambda *_, **__: pytest.fail("the network ran again"))
    page.selectbox(key="scorer").set_value("knn").run()
    assert not page.exception
    frame = page.dataframe[0].value
    assert list(frame["knn"]) == sorted(frame["knn"], reverse=True)
    page.query_params["keep"] = "70"
    assert not page.run().exception


def test_a_checkpoint_without_scorers_says_how_to_fit_them(page: AppTest) -> None:
    page.query_params["checkpoint"] = "bare"
    page.run()
    assert "`ood fit bare" in sentences(page)
    assert not page.dataframe


def test_what_was_assumed_about_the_network_is_told(page: AppTest) -> None:
    page.run()
    assert any(r"Assumed\: mean and std of CIFAR" in text.value for text in page.expander[0].markdown)


def test_a_damaged_checkpoint_is_one_sentence(page: AppTest, served: Path, tmp_path: Path) -> None:
    import shutil

    folder = served / "damaged"
    shutil.copytree(served / "tiny", folder)
    try:
        (folder / "model.safetensors").write_bytes(b"\x00" * 64)
        page.query_params["checkpoint"] = "damaged"
        page.run()
        assert not page.exception
        assert "changed or damaged" in sentences(page)
    finally:
        shutil.rmtree(folder)


def test_charts_carry_words_for_those_who_do_not_see_them(page: AppTest) -> None:
    page.run()
    charts = [chart.proto for chart in page.get("plotly_chart")]
    assert len(charts) == 2
    assert "The network answers" in charts[0].alt
    assert "scores" in charts[1].alt
    assert json.loads(charts[1].spec)["layout"]["yaxis"]["ticktext"][-1] == "Energy"


def test_one_session_never_sees_another_ones_files(page: AppTest, served: Path) -> None:
    page.run()
    page.file_uploader(key="uploads").set_value([("secret.png", picture("blue"), "image/png")]).run()
    assert "secret.png/yours" in decisions(page)
    other = AppTest.from_file(MAIN, default_timeout=60)
    other.query_params["checkpoint"] = "tiny"
    assert not [name for name in decisions(other.run()) if name.startswith("secret")]


def test_an_unexpected_error_gives_a_reference_that_the_log_knows(caplog: pytest.LogCaptureFixture) -> None:
    from app.asgi import told

    def script() -> None:
        from app.asgi import told

        told(RuntimeError("a detail that nobody should see"))

    shown = AppTest.from_function(script).run()
    sentence = shown.error[0].value
    assert "Something went wrong here. Reference" in sentence
    assert "detail" not in sentence
    assert told is not None
    assert sentence.split("Reference ")[1][:6] in caplog.text
    assert st.__version__


@pytest.mark.parametrize(("name", "own"), [("tiny", True), ("shapes-resnet20w4", False)])
def test_an_own_checkpoint_is_marked(page: AppTest, name: str, own: bool) -> None:
    page.query_params["checkpoint"] = name
    page.run()
    assert page.selectbox(key="checkpoint").value == name
    assert any("An own checkpoint" in caption.value for caption in page.caption) is own


def test_outliers_of_the_training_are_offered_last(page: AppTest) -> None:
    page.query_params["checkpoint"] = "shapes-resnet20w4"
    page.run()
    offered = page.selectbox(key=state.AGAINST)
    assert offered.value == "shapes-near"  # the hardest to tell from what is known
    assert "50" in offered.options[-1]


def beside(page: AppTest) -> list[str]:
    return list(page.multiselect(key=state.BESIDE).value)


@pytest.fixture
def family(served: Path) -> AppTest:
    """Opened as a visitor does: the baseline of drawn shapes with its fine-tunings."""
    return AppTest.from_file(MAIN, default_timeout=60)


def test_the_first_page_compares_the_baseline_with_its_fine_tunings(family: AppTest) -> None:
    family.run()
    assert not family.exception
    assert sentences(family) == ""
    assert family.selectbox(key="checkpoint").value == "shapes-resnet20w4"
    assert beside(family) == ["energy", "balanced"]
    frame = family.dataframe[0].value
    words = frame[["By baseline", "By energy", "By balanced"]]
    assert list(frame["Differ"]) == [len(set(row)) > 1 for row in words.itertuples(index=False)]
    assert 0 < frame["Differ"].sum() < len(frame)


def test_one_checkpoint_alone_has_one_decision(family: AppTest) -> None:
    family.run()
    family.multiselect(key=state.BESIDE).set_value([]).run()
    assert not family.exception
    assert "Decision" in family.dataframe[0].value
    assert "Differ" not in family.dataframe[0].value


def test_a_link_chooses_what_is_compared(family: AppTest) -> None:
    family.query_params[state.BESIDE] = ["semantic", "outlier exposure"]
    family.run()
    assert beside(family) == ["semantic", "outlier exposure"]
    assert {"By semantic", "By outlier exposure"} < set(family.dataframe[0].value)


def test_a_link_to_something_that_cannot_be_compared(family: AppTest) -> None:
    family.query_params[state.BESIDE] = ["cifar10-resnet20", "energy"]
    family.run()
    assert not family.exception
    assert "compares with 'cifar10-resnet20', which is not on this server or does not know" in sentences(family)
    assert beside(family) == ["energy"]


def test_a_checkpoint_without_the_score_is_left_out(family: AppTest) -> None:
    family.query_params[state.BESIDE] = ["tiny", "energy"]
    family.run()
    family.selectbox(key="scorer").set_value("vim").run()
    assert not family.exception
    assert any("Left out, for it has no score 'vim': tiny." in caption.value for caption in family.caption)
    assert "By tiny" not in family.dataframe[0].value
    assert "By energy" in family.dataframe[0].value


def test_a_damaged_checkpoint_beside_is_one_sentence(family: AppTest, served: Path) -> None:
    import shutil

    folder = served / "damaged"
    shutil.copytree(served / "tiny", folder)
    try:
        (folder / "model.safetensors").write_bytes(b"\x00" * 64)
        family.query_params[state.BESIDE] = ["damaged"]
        family.run()
        assert not family.exception
        assert "'damaged' is left out." in sentences(family)
        assert "Decision" in family.dataframe[0].value
    finally:
        shutil.rmtree(folder)


def test_an_energy_map_is_made_only_when_asked_for_and_once(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.services import resources

    runs = []
    made = resources.energy_map
    monkeypatch.setattr(resources, "energy_map", lambda *given, **more: runs.append(1) or made(*given, **more))
    resources._MAPS._kept.clear()
    page.run()
    assert runs == []
    page.toggle(key=state.MAP).set_value(True).run()
    page.query_params["keep"] = "80"
    page.run()
    assert not page.exception
    assert runs == [1]
    charts = [chart.proto for chart in page.get("plotly_chart")]
    assert len(charts) == 3
    assert "the plain picture has" in charts[2].alt


def test_listed_scores_are_chosen(page: AppTest) -> None:
    page.run()
    page.pills(key=state.ALSO).set_value(["knn"]).run()
    assert [name for name in page.dataframe[0].value if name in ("energy", "msp", "knn")] == ["energy", "knn"]


def test_a_slow_score_on_the_list_tells_whose_turn_it_is(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.services import resources

    ahead: list[int] = []
    taken = resources.turn

    def crowded(waiting: resources.Waiting) -> AbstractContextManager[None]:
        waiting(2)
        return taken(waiting)

    page.query_params["checkpoint"] = "shapes-resnet20w4"
    page.query_params[state.BESIDE] = ""
    page.run()
    monkeypatch.setattr("app.widgets.page.busy", lambda place, count: ahead.append(count))
    monkeypatch.setattr(resources, "turn", crowded)
    resources._SAID.drop(lambda key: True)
    page.pills(key=state.ALSO).set_value(["odin"]).run()
    assert not page.exception
    assert "odin" in page.dataframe[0].value
    assert ahead == [2, 0, 2, 0]  # for all the quick scores at once, then for this one


def test_releasing_the_dial_runs_no_network_and_the_board_is_made_once(
    family: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.services import resources
    from app.widgets import compare

    family.run()
    monkeypatch.setattr(resources, "outputs_of", lambda *_, **__: pytest.fail("a network ran again"))
    monkeypatch.setattr(compare, "contents", lambda *_, **__: pytest.fail("the board was made again"))
    family.query_params["keep"] = "70"
    assert not family.run().exception


def test_the_report_and_the_table_are_offered(family: AppTest) -> None:
    family.run()
    names = [button.proto.label for button in family.get("download_button")]
    assert names == ["Download CSV", "Download report"]
