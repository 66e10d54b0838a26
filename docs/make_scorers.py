"""Writes docs/scorers.md from the registry: `python docs/make_scorers.py`. A test says when it is out of date."""

from dataclasses import MISSING, fields
from pathlib import Path

from oodcore.scorers import scorers

HEADER = """# Scorers

Higher = more out-of-distribution, for every one. `needs` is what is read of the outputs, the head or the network; \
*fits* marks those that learn from in-distribution training outputs. `ood score --scorers NAME`, `Panel(["NAME"])`; \
a shaping step leads to any scorer of logits with a plus, as `react+msp`.

| name | method | needs | fits | numbers | source |
|---|---|---|---|---|---|
"""


def numbers(name: str) -> str:
    """`k=50, max_rows=50000`."""
    found = [field for field in fields(scorers[name]) if field.default is not MISSING]  # type: ignore[arg-type]
    return ", ".join(f"{field.name}={field.default!r}" for field in found)


def page() -> str:
    """The whole file."""
    lines = []
    for name in scorers.names():
        info = scorers[name].info
        fits = "yes" if info.fits else ""
        lines.append(
            f"| `{name}` | {info.title} | {', '.join(info.needs)} | {fits} | {numbers(name)} | {info.source} |"
        )
    return HEADER + "\n".join(lines) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "scorers.md").write_text(page(), encoding="utf-8")
