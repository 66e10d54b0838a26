"""Buttons that save what stands beside them: as PNG, as SVG, and its numbers as CSV. The server is not asked."""

from app.components.made import made

__all__ = ["saves"]


def saves(*, place: str, name: str, table: str | None, picture: bool, key: str) -> None:
    """Draw the buttons.

    Args:
        place: CSS class of the container whose picture is meant: a Plotly figure, or `svg.figure` of a component.
        name: Of the files, without ending.
        table: Content of the CSV; None asks the component that draws the picture, which has it as `table` of its root.
        picture: Whether there is one; without, only the CSV is offered.
        key: Streamlit key.
    """
    made("saves")(data={"place": place, "name": name, "table": table, "picture": picture}, key=key)
