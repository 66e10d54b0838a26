"""The Blocks page's logic, without a browser."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import app
from app import state
from app.services import blocks
from app.services.memory import Memory

VIEW = str(Path(app.__file__).parent / "views" / "blocks.py")


@pytest.fixture
def page(served: Path) -> AppTest:
    """Opened on a shipped checkpoint, whose panel says what NormRatio selected."""
    opened = AppTest.from_file(VIEW, default_timeout=100)
    opened.query_params["checkpoint"] = "shapes-resnet20w4"
    return opened


def sentences(page: AppTest) -> str:
    return " ".join(box.value for box in (*page.info, *page.warning, *page.error))


def numbers(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def test_it_opens_with_the_selected_block_and_a_row_for_each(page: AppTest) -> None:
    page.run()
    assert not page.exception
    assert sentences(page) == ""
    rows = page.dataframe[0].value
    selected = rows[rows[""] == "◂ selected"]
    assert len(rows) == 9
    assert list(selected["Block"]) == [numbers(page)["Selected block"]]
    assert float(selected["NormRatio"].iloc[0]) == rows["NormRatio"].max()


def test_other_outliers_have_another_auroc_and_the_same_selection(page: AppTest) -> None:
    page.run()
    before, choice = page.dataframe[0].value, numbers(page)["Selected block"]
    other = next(name for name in ("shapes-near", "shapes-far") if name != page.selectbox(key=state.AGAINST).value)
    page.selectbox(key=state.AGAINST).set_value(other).run()
    assert not page.exception
    assert list(page.dataframe[0].value["AUROC ↑"]) != list(before["AUROC ↑"])
    assert numbers(page)["Selected block"] == choice


def test_a_link_chooses_the_picture_and_the_shuffle(page: AppTest) -> None:
    from app.services import samples
    from app.services.resources import exhibit, folders

    shown = exhibit(folders()["shapes-resnet20w4"])
    texture = samples.groups(shown.model.classes, shown.known)["textures"].pictures()[1]
    page.run()
    first = page.dataframe[0].value
    page.query_params["photo"] = texture.id[:12]
    page.run()
    second = page.dataframe[0].value
    assert list(first["This picture"]) != list(second["This picture"])
    assert any("texture" in text.value for text in page.markdown)
    page.query_params["seed"] = "5"
    page.run()
    third = page.dataframe[0].value
    assert list(second["This picture"]) == list(third["This picture"])
    assert list(second["Its own ratio"]) != list(third["Its own ratio"])


@pytest.mark.parametrize("nonsense", ["abc", "-1", "99999999", "9" * 5000, "²", ""])
def test_nonsense_in_the_link_counts_as_absent(page: AppTest, nonsense: str) -> None:
    page.run()
    usual = list(page.dataframe[0].value["Its own ratio"])
    page.query_params["seed"] = nonsense
    page.query_params["photo"] = nonsense
    page.run()
    assert not page.exception
    assert list(page.dataframe[0].value["Its own ratio"]) == usual


def test_a_checkpoint_that_is_not_here(page: AppTest) -> None:
    page.query_params["checkpoint"] = "no-such"
    page.run()
    assert "'no-such', which is not on this server" in sentences(page)


def test_without_scorers_it_says_how_to_fit_them(page: AppTest) -> None:
    page.query_params["checkpoint"] = "bare"
    page.run()
    assert "`ood fit bare" in sentences(page)
    assert not page.dataframe


def test_a_panel_that_knows_no_ratios_has_them_measured_on_drawn_pictures(page: AppTest) -> None:
    page.query_params["checkpoint"] = "tiny"
    page.run()
    assert not page.exception
    rows = page.dataframe[0].value
    assert len(rows) == 3
    assert rows.loc[rows["NormRatio"].idxmax(), "Block"] == numbers(page)["Selected block"]


def test_the_norm_inside_other_scores_and_odin_on_request(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "_GAINS", Memory(1))  # whatever others asked for is shown at once
    page.query_params["checkpoint"] = "tiny"
    page.run()
    assert list(page.dataframe[1].value["Score"]) == ["Maximum softmax probability", "Energy"]
    button = next(one for one in page.button if one.label.startswith("Add ODIN"))
    button.click().run()
    assert not page.exception
    assert list(page.dataframe[1].value["Score"]) == ["Maximum softmax probability", "Energy", "ODIN"]
    assert not [one for one in page.button if one.label.startswith("Add ODIN")]


def test_good_and_broken_photos(page: AppTest) -> None:
    import io

    from PIL import Image

    data = io.BytesIO()
    Image.new("RGB", (50, 40), "red").save(data, "PNG")
    page.run()
    page.file_uploader(key="block-photos").set_value(
        [("mine.png", data.getvalue(), "image/png"), ("broken.png", b"no picture", "image/png")]
    ).run()
    assert not page.exception
    assert "'broken.png' is not a picture" in sentences(page)
    assert any("**mine.png** – yours" in text.value for text in page.markdown)


def test_the_figure_has_words(page: AppTest) -> None:
    page.run()
    alt = page.get("plotly_chart")[0].proto.alt
    assert "NormRatio selects 3.3." in alt
    assert "AUROC" in alt


def test_the_norm_inside_other_scores_is_five_columns_that_fit_beside_the_words(page: AppTest) -> None:
    rows = page.run().dataframe[1].value
    assert list(rows) == ["Score", "AUROC ↑", "Change", "FPR95 ↓", "Change "]
    for metric, changes in (("AUROC ↑", "Change"), ("FPR95 ↓", "Change ")):
        for text, change in zip(rows[metric], rows[changes], strict=True):
            before, after = text.removesuffix(" %").split(" → ")
            assert float(after) - float(before) == pytest.approx(change, abs=0.11)
