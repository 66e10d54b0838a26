import re
import runpy
from pathlib import Path

import pytest

from oodcore.data import photo
from oodcore.scorers import scorers

ROOT = Path(__file__).parents[1]


def test_the_page_of_scorers_is_what_the_registry_says() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_scorers.py"))["page"]()
    assert (ROOT / "docs" / "scorers.md").read_text(encoding="utf-8") == made, "run: python docs/make_scorers.py"


def test_the_readme_points_only_to_what_is_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_readme_counts_the_scorers_right() -> None:
    (count,) = re.findall(r"(\d+) scores →", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert int(count) == len(scorers)


@pytest.mark.slow
def test_the_python_of_the_readme_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    photo("coffee").picture.save("photo.jpg")
    (tmp_path / "example.py").write_text(code)
    found = runpy.run_path("example.py")
    assert set(found["scores"]) == {"energy", "knn", "vim", "react+msp", "odin"}
    assert (tmp_path / "panel.safetensors").exists()
