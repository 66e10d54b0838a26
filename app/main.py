"""Page settings and the list of pages, nothing else."""

from pathlib import Path

import streamlit as st

from app import state
from app.widgets.jobs import known_again
from app.widgets.page import link_parts

STATIC = Path(__file__).with_name("static")

st.set_page_config(page_title="OOD Explorer", page_icon=str(STATIC / "icon.png"), layout="wide")
st.logo(str(STATIC / f"logo-{st.context.theme.type or 'light'}.svg"), size="large")
st.html(STATIC / "look.css")
# Before anything that answers: a browser that has not heard of the pages yet would ask for the first one.
page = st.navigation(
    [
        st.Page("views/score.py", title="Score", icon=":material/query_stats:", url_path="score", default=True),
        st.Page("views/prior.py", title="Outlier prior", icon=":material/bar_chart:", url_path="outlier-prior"),
        st.Page("views/clusters.py", title="Clusters", icon=":material/scatter_plot:", url_path="clusters"),
        st.Page("views/finetune.py", title="Fine-tune", icon=":material/model_training:", url_path="fine-tune"),
        st.Page("views/blocks.py", title="Blocks", icon=":material/view_week:", url_path="blocks"),
        st.Page("views/benchmark.py", title="Benchmark", icon=":material/leaderboard:", url_path="benchmark"),
        st.Page("views/learn.py", title="Learn", icon=":material/school:", url_path="learn"),
        st.Page("views/checkpoints.py", title="Checkpoints", icon=":material/deployed_code:", url_path="checkpoints"),
    ],
    position="top",
)
with st.container(key="known-again"):
    known_again()
state.arrive(page.url_path)
place = st.empty()
page.run()
link_parts(place, state.left_out())  # known only when everything that a link can ask for is drawn
