"""Learn: six short lessons. Predict, drag, explain, see the formula with numbers, solve a task."""

from pathlib import Path

import streamlit as st

from app import state
from app.services import lessons
from app.services.lessons import Lesson
from app.widgets import learn
from app.widgets.page import header, plain, sorry
from oodcore.errors import OODError

STATIC = Path(__file__).parents[1] / "static"
TITLE = "Learn"
LEAD = (
    "Short lessons of about five minutes. You **predict** what will happen, **drag** a dial to see it, read why, look "
    "at the formula with one picture’s numbers in it, and solve a **task** that the page checks. Everything that moves "
    "is the real output of small networks that tell ten drawn shapes apart."
)


def render() -> None:
    """The list, or the lesson that the link names."""
    st.html(STATIC / "learn.css")
    found, sentences = lessons.library()
    wanted = state.lesson()
    if wanted in found:
        shown(found, found[wanted])
        return
    header(TITLE, LEAD)
    if wanted:
        st.warning(
            f"This link points to the lesson '{plain(wanted)}', which is not on this server.",
            icon=":material/link_off:",
        )
    learn.broken(sentences)
    learn.cards(found)


def shown(found: dict[str, Lesson], lesson: Lesson) -> None:
    """One lesson at one step: text and questions left, the stage right."""
    presenting = state.presenting()
    if presenting:
        st.html(STATIC / "present.css")
    now = min(max(state.step(), 1), lesson.screens)
    learn.top(lesson, list(found).index(lesson.name) + 1, len(found), presenting)
    if now != state.step():
        st.warning(f"This lesson has {lesson.screens} steps. Showing step {now}.", icon=":material/link_off:")
    learn.steps(lesson, now)
    if now == lesson.screens:
        with st.container(key="learn-last"):
            st.subheader("What to remember", anchor=False)
            learn.end(lesson.remember)
            learn.moves(found, lesson, now, presenting)
        return
    try:
        with st.spinner("Setting the stage …"):
            scene = lessons.opened(lesson)
    except OODError as problem:
        sorry(problem)
        return
    step = lesson.steps[now - 1]
    opened, stray = learn.settled(lesson, now, step, scene)
    if stray:
        st.warning(plain(stray), icon=":material/link_off:")
    with st.container(key="learn-grid", gap=None):
        text = st.container(key="learn-text")
        with st.container(key="learn-stage"):
            place = learn.staged(lesson, now, step, scene, opened, presenting)
        with text:
            preset = scene.place(step.preset)
            learn.step_text(step, scene, preset)
            if step.question is not None:
                learn.question(lesson, now, step.question, scene, preset)
            if step.task is not None:
                learn.task(lesson, step, scene, place)
        learn.moves(found, lesson, now, presenting)


render()
