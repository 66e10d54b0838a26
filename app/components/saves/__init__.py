"""Buttons that save what stands beside them: as PNG, as SVG, and its numbers as CSV. The server is not asked."""

from app.components.made import made

__all__ = ["saves"]


def saves(*, place: str, name: str, table: str, key: str) -> None:
    """Draw the buttons.

    Args:
        place: CSS class of the container whose picture is meant: a Plotly figure, or `svg.figure` of a component.
        name: Of the files, without ending.
        table: Content of the CSV.
        key: Streamlit key.
    """
    made("saves")(data={"place": place, "name": name, "table": table}, key=key)
