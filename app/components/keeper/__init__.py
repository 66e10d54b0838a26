"""Keeps a token in the browser, so that a person is known again after a refresh. Nothing is drawn."""

from app.components.made import made, nothing

__all__ = ["keeper"]


def keeper(candidate: str, *, key: str = "keeper") -> str | None:
    """The token that this browser has kept, or None until it has said so.

    Args:
        candidate: Kept from now on by a browser that has none.
        key: Streamlit key.
    """
    return made("keeper")(data={"candidate": candidate}, key=key, on_token_change=nothing).get("token")
