"""What all figures look like."""

import plotly.graph_objects as go

from app.theme import Palette

__all__ = ["styled", "wash"]

FONT = "Inter, sans-serif"


def styled(figure: go.Figure, colours: Palette, height: int) -> go.Figure:
    """The app's fonts, margins and colours; no background, no legend, until a figure asks for one.

    Nothing is zoomed: a finger on a figure scrolls the page, and the browser need not make handles for every axis.
    """
    figure.update_xaxes(fixedrange=True)
    figure.update_yaxes(fixedrange=True)
    return figure.update_layout(
        template="none",
        height=height,
        margin={"l": 4, "r": 12, "t": 8, "b": 28},
        font={"family": FONT, "size": 13, "color": colours.text},
        hoverlabel={"font": {"family": FONT, "size": 13}},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        showlegend=False,
        bargap=0.35,
        dragmode=False,
        yaxis={"automargin": True},
    )


def wash(colour: str, share: float) -> str:
    """A colour that lets the page through.

    Args:
        colour: As "#1b6ca8".
        share: Of it that is seen, 0..1.
    """
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share})"
