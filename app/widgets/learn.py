"""Pieces of the Learn page: the list of lessons, the way through one, its questions, its task and its end."""

from collections.abc import Mapping, Sequence
from functools import partial
from html import escape

import streamlit as st
from streamlit.errors import StreamlitAPIException

from app import state
from app.components.stage import stage
from app.services import lessons
from app.services.ballots import ballots
from app.services.learners import learner
from app.services.lessons import Lesson, Question, Remember, Step
from app.services.scenes.frames import PICTURE, Place, Scene
from app.services.spreadsheet import stacked
from app.widgets.figure import takeaway
from app.widgets.page import plain
from oodcore.errors import DataError

__all__ = ["broken", "cards", "end", "moves", "question", "settled", "staged", "step_text", "steps"]
__all__ += ["task", "top"]

STAGE, LIKED = "stage", "learn_picture"
WORDS = {"predict": "Predict", "drag": "Drag", "explain": "Explain", "formula": "Formula", "task": "Task"}
LAST = "Remember"


def broken(sentences: Sequence[str]) -> None:
    """Files that are no lessons, for the teacher who wrote them."""
    for sentence in sentences:
        st.warning(plain(sentence), icon=":material/edit_document:")


def cards(found: Mapping[str, Lesson]) -> None:
    """The list."""
    solved = learner().solved
    first = next((name for name in found if name not in solved), None)
    with st.container(key="learn-cards", gap=None):
        for number, (name, lesson) in enumerate(found.items(), start=1):
            with st.container(border=True, key=f"lesson-{name}"):
                done = "task solved" if name in solved else f"{lesson.minutes} min · {lesson.screens} steps"
                st.html(f'<p class="lesson-head"><b>{number}</b><span>{escape(done)}</span></p>')
                st.subheader(lesson.title, anchor=False)
                st.markdown(lesson.lead)
                st.button(
                    "Again" if name in solved else "Begin",
                    key=f"begin-{name}",
                    type="primary" if name == first else "secondary",
                    icon=":material/replay:" if name in solved else ":material/play_arrow:",
                    on_click=partial(state.to_lesson, name),
                    help=f"Open the lesson “{lesson.title}”",
                )


def top(lesson: Lesson, number: int, of: int, presenting: bool) -> None:
    """Which lesson this is, the way back, and the switch for a room that looks on."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="learn-top"):
        st.button(
            "All lessons", key="learn-back", type="tertiary", icon=":material/arrow_back:", on_click=state.to_lessons
        )
        st.button(
            "Leave presenting" if presenting else "Present",
            key="learn-present",
            type="tertiary",
            icon=":material/close_fullscreen:" if presenting else ":material/present_to_all:",
            on_click=state.present,
            args=(not presenting,),
            help="Larger type and nothing around it. Page Up and Page Down, and a remote, go through the steps.",
        )
    with st.container(key="learn-heading", gap=None):
        st.html(f'<p class="eyebrow">Lesson {number} of {of}</p>')
        st.title(lesson.title, anchor=False)


def steps(lesson: Lesson, now: int) -> None:
    """Where one is, and a way to jump."""
    words = [WORDS[step.kind] for step in lesson.steps] + [LAST]
    key = f"learn-steps-{lesson.name}"
    st.session_state[key] = now
    st.segmented_control(
        "Steps of this lesson",
        range(1, len(words) + 1),
        required=True,
        format_func=lambda number: f"{number} {words[number - 1]}",
        key=key,
        on_change=lambda: state.to_lesson(lesson.name, st.session_state[key]),
        label_visibility="collapsed",
        wrap=True,
    )


def moves(found: Mapping[str, Lesson], lesson: Lesson, now: int, presenting: bool) -> None:
    """Back and forth, also by keyboard; at the end to the next lesson."""
    names = list(found)
    following = names[names.index(lesson.name) + 1 :]
    back, forth = ("PageUp", "PageDown") if presenting else ("Ctrl+Left", "Ctrl+Right")
    with st.container(horizontal=True, key="learn-moves"):
        st.button(
            "Back",
            key="learn-previous",
            icon=":material/chevron_left:",
            disabled=now == 1,
            shortcut=back,
            on_click=partial(state.to_lesson, lesson.name, now - 1),
        )
        last = now == lesson.screens
        if not last or following:
            st.button(
                "Next lesson" if last else "Next",
                key="learn-next",
                type="primary",
                icon=":material/chevron_right:",
                icon_position="right",
                shortcut=forth,
                on_click=partial(state.to_lesson, following[0] if last else lesson.name, 1 if last else now + 1),
            )


def settled(lesson: Lesson, now: int, step: Step, scene: Scene) -> tuple[dict[str, int], str]:
    """Where the stage of a step opens, from the link and what was chosen before; and what of the link made no sense.

    It stays what it was while the step is shown: the browser knows better where the dials are.
    """
    name = f"{lesson.name}/{now}"
    opened = state.here().get(STAGE)
    if opened is not None and opened[0] == name:
        return opened[1], ""
    preset = dict(step.preset)
    if PICTURE not in preset and (liked := st.session_state.get(LIKED)) in [card.id for card in scene.pictures]:
        preset[PICTURE] = str(liked)
    stray = ""
    for dial in scene.turned(step.show):
        wanted = st.query_params.get(dial)
        if wanted is None:
            continue
        try:
            scene.place({dial: wanted})
            preset[dial] = wanted
        except DataError as problem:
            stray = f"A part of this link is left out. {problem}"
    place = scene.place(preset)
    state.here()[STAGE] = (name, place)
    return place, stray


def staged(lesson: Lesson, now: int, step: Step, scene: Scene, opened: Place, large: bool) -> dict[str, int]:
    """Draw the stage with its downloads; returns where everything stands, and writes it into the link."""
    name = f"lesson-{lesson.name}-{now}"
    turned = scene.turned(step.show)
    with st.container(key=f"figure-{name}", gap="small"):
        parts = scene.stage(step.show, opened)
        dark = st.context.theme.type == "dark"
        at = stage(parts, name=f"{lesson.name}/{now}", large=large, dark=dark, key=f"stage-{lesson.name}-{now}")
        place = dict(opened) | {dial: index for dial, index in (at or {}).items() if dial in turned}
        takeaway(name, stacked({"dials": columns(step, scene, place)} | scene.drawn(step.show, place)))
    if at is not None:
        _linked(scene, scene.place(step.preset), place, turned)
    return place


def columns(step: Step, scene: Scene, place: Place) -> dict[str, list[object]]:
    """Every position of the dials on the stage with its numbers, for one picture."""
    dials = list(step.show.dials)
    places = list(scene.places(dials, place))
    found: dict[str, list[object]] = {
        scene.dials[dial].label: [scene.dials[dial].values[at[dial]] for at in places] for dial in dials
    }
    if PICTURE in scene.turned(step.show):
        found["picture"] = [scene.pictures[place[PICTURE]].name] * len(places)
    for name in step.show.facts or scene.facts:
        found[scene.facts[name].label] = [scene.value(name, at) for at in places]
    return found


def question(lesson: Lesson, now: int, asked: Question, scene: Scene, place: Place) -> None:
    """Options as buttons; after an answer, one line about it and how others answered."""
    given = learner().answers.get((lesson.name, now))
    about = f"{lesson.name}: {asked.ask}"
    with st.container(border=True, key="learn-question"):
        st.html('<p class="eyebrow">Predict first</p>')
        st.markdown(f"**{asked.ask}**")
        if given is None:
            with st.container(horizontal=True, key="learn-options"):
                for number, option in enumerate(asked.options):
                    st.button(
                        option,
                        key=f"option-{lesson.name}-{now}-{number}",
                        on_click=partial(_answer, lesson.name, now, about, asked, option),
                    )
            return
        right = given == asked.answer
        line = lessons.filled(asked.right if right else asked.wrong, scene, place)
        st.html(_tally(ballots().counts(about, asked.options), given, asked.answer))
        with st.container(key="learn-right" if right else "learn-wrong", gap=None):
            icon, word = ("check_circle", "Right.") if right else ("lightbulb", "Not quite.")
            st.markdown(f":material/{icon}: **{word}** {line}")


def task(lesson: Lesson, step: Step, scene: Scene, place: Place) -> None:
    """What is to be found, and whether it is."""
    assert step.task is not None  # noqa: S101  a step of this kind has one
    done = step.task.done(scene, place)
    with st.container(border=True, key="learn-task-done" if done else "learn-task"):
        st.html(f'<p class="eyebrow">{"Task: solved" if done else "Task"}</p>')
        st.markdown(f"**{step.task.ask}**")
        if done:
            learner().solved.add(lesson.name)
            st.markdown(f":material/check_circle: **Solved.** {lessons.filled(step.task.solved, scene, place)}")
        else:
            st.markdown(f":material/radio_button_unchecked: Not yet. {step.task.hint}")


def end(kept: Remember) -> None:
    """What to take along, and where to go on."""
    with st.container(key="learn-end"):
        for point in kept.points:
            st.markdown(f":material/bookmark: {point}")
        with st.container(border=True, key="learn-on"):
            st.html('<p class="eyebrow">Try it for real</p>')
            _link(kept)


def _link(kept: Remember) -> None:
    try:
        st.page_link(
            f"views/{kept.page}.py", label=kept.label, icon=":material/arrow_forward:", query_params=dict(kept.query)
        )
    except StreamlitAPIException:  # a teacher's lesson may name a page that is not there
        st.markdown(f"{plain(kept.label)}: there is no page '{plain(kept.page)}' on this server.")


def _answer(lesson: str, now: int, about: str, asked: Question, option: str) -> None:
    answers = learner().answers
    if (lesson, now) not in answers:
        answers[lesson, now] = option
        ballots().vote(about, option, asked.options)


def _tally(counts: Mapping[str, int], given: str, answer: str) -> str:
    most, rows = max(1, *counts.values()), []
    for option, count in counts.items():
        words = " and ".join(
            [*(["your answer"] if option == given else []), *(["what happens"] if option == answer else [])]
        )
        rows.append(
            f'<li class="{"right" if option == answer else ""}"><span>{escape(option)}</span>'
            f'<i style="--share:{count / most:.3f}"></i><b>{count}</b><em>{words}</em></li>'
        )
    said = ", ".join(f"{escape(option)} {count}" for option, count in counts.items())
    return (
        f'<p class="class-answers">Class answers: {said}</p><ul class="tally" aria-hidden="true">{"".join(rows)}</ul>'
    )


def _linked(scene: Scene, preset: Place, place: Place, turned: Sequence[str]) -> None:
    """Positions that differ from the preset, in the link."""
    for dial in turned:
        if dial == PICTURE:
            card = scene.pictures[place[PICTURE]]
            st.session_state[LIKED] = card.id
            names = [other.name for other in scene.pictures]
            value = card.name if names.count(card.name) == 1 else card.id
        else:
            value = str(scene.dials[dial].values[place[dial]])
        if place[dial] == preset[dial]:
            st.query_params.pop(dial, None)
        else:
            st.query_params[dial] = value


def step_text(step: Step, scene: Scene, place: Place) -> None:
    """Title, text and formula."""
    st.subheader(step.title, anchor=False)
    st.markdown(lessons.filled(step.text, scene, place))
    if step.latex:
        with st.container(key="learn-formula"):
            st.latex(step.latex)
