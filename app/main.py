"""Page settings and the list of pages, nothing else."""

from pathlib import Path

import streamlit as st

STATIC = Path(__file__).with_name("static")

st.set_page_config(page_title="OOD Explorer", page_icon=str(STATIC / "icon.png"), layout="wide")
st.logo(str(STATIC / f"logo-{st.context.theme.type or 'light'}.svg"), size="large")
st.html(STATIC / "look.css")
st.navigation(
    [
        st.Page("views/score.py", title="Score", icon=":material/query_stats:", url_path="score", default=True),
        st.Page("views/learn.py", title="Learn", icon=":material/school:", url_path="learn"),
    ],
    position="top",
).run()
