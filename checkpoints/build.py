"""Make the shipped checkpoints: those of the drawn shapes anew, or any other from a finished run.

    OMP_NUM_THREADS=1 .venv/bin/python checkpoints/build.py shapes           # ten minutes of one core
    .venv/bin/python checkpoints/build.py shapes shapes-resnet20w4-oe        # only this one
    .venv/bin/python checkpoints/build.py from RUN_FOLDER NAME               # what a run has made and completed
    .venv/bin/python checkpoints/build.py outliers NAME SET:SPLIT …          # into which classes outliers fall
    .venv/bin/python checkpoints/build.py layouts [NAME ...]                 # maps for those that have none; needs umap

Runs lie in `runs/` under the checkpoint's name. One that was stopped goes on, one whose checkpoint is complete is made
anew. The same machine and versions give the same weights; others differ in the last digits.
"""

import fnmatch
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp

import torch

from oodcore.atomic import replacing
from oodcore.checkpoint import load, read_card, seal, write_manifest
from oodcore.checkpoint.layout import CARD, LAYOUT, MODEL, OUTLIERS, PANEL, REFERENCE
from oodcore.config import read_experiment
from oodcore.data import open_set
from oodcore.errors import CheckpointError, OODError
from oodcore.evaluate.atlas import load_layout, making_layout
from oodcore.evaluate.census import save_censuses, take_census
from oodcore.jobs import RunFolder, run
from oodcore.jobs.complete import complete
from oodcore.maps import Settings, write_layout

HERE = Path(__file__).resolve().parent
RUNS, IGNORED = HERE.parent / "runs", HERE.parent / ".gitignore"
SHAPES = {
    "shapes-resnet20w4": "shapes-resnet20w4",  # first: the others start from it
    "shapes-resnet20w4-oe": "shapes-resnet20w4-outlier-exposure",
    "shapes-resnet20w4-energy": "shapes-resnet20w4-energy",
    "shapes-resnet20w4-balanced": "shapes-resnet20w4-balanced-energy",
    "shapes-resnet20w4-semantic": "shapes-resnet20w4-semantic-energy",
}
"""Checkpoint → recipe."""
LOOK_ALIKES = ("shapes-aux:test", "shapes-aux-50:train")  # of any crowding; and those that were trained with
FILES = (CARD, MODEL, PANEL, REFERENCE)
MEGABYTE = 10**6
LARGEST_FILE, LARGEST_SUM = 20 * MEGABYTE, 60 * MEGABYTE


def make_shapes(names: list[str]) -> None:
    """Train, complete and ship.

    Raises:
        CheckpointError: a name that is not of this family.
    """
    if unknown := sorted(set(names) - set(SHAPES)):
        raise CheckpointError(f"The shapes family has no {', '.join(unknown)}; it has {', '.join(SHAPES)}.")
    for name in [each for each in SHAPES if each in names] or SHAPES:
        place = RunFolder(RUNS / name)
        if is_complete(place.checkpoint):
            shutil.rmtree(place.path)
        train(SHAPES[name], place)
        complete(place.checkpoint, id_set="shapes", ood_sets=["shapes-near", "shapes-far"], auxiliary=["shapes-aux-50"])
        ship(place, name)
        count_outliers(name, LOOK_ALIKES)


def count_outliers(name: str, sets: Sequence[str]) -> None:
    """Counts and some logits of sets of outliers, beside a checkpoint that is shipped.

    Args:
        name: Of the checkpoint.
        sets: Each as `SET:SPLIT`.

    Raises:
        DataError: a set is not here.
        CheckpointError: there is no such checkpoint.
    """
    model, found = load(HERE / name), {}
    for wanted in sets:
        outliers, _, split = wanted.partition(":")
        found[outliers] = take_census(model, open_set(outliers, split), split)
        print(name, wanted, found[outliers].counts.tolist(), flush=True)
    save_censuses(HERE / name / OUTLIERS, found)
    seal(HERE / name)


def train(recipe: str, place: RunFolder) -> None:
    """Run a recipe to its end, on the CPU wherever this is, so that the weights are the same again."""
    for event in run(read_experiment(recipe), place.path, accelerator="cpu"):
        if event.kind != "step":
            print(recipe, event.kind, event.step, dict(event.values), flush=True)


def ship(place: RunFolder, name: str) -> None:
    """A run's checkpoint under a name, in the manifest and in version control; an earlier one is replaced as a whole.

    Raises:
        CheckpointError: the run is not finished, its checkpoint not complete, or too large.
    """
    if not place.finished:
        raise CheckpointError(f"The run in '{place.path}' is not finished. Start it again, and ship it then.")
    if not is_complete(place.checkpoint):
        raise CheckpointError(
            f"'{place.checkpoint}' lacks one of {', '.join(FILES)}. Complete it with oodcore.jobs.complete."
        )
    if not name or name != Path(name).name or name.startswith("."):
        raise CheckpointError(f"'{name}' is no name for a checkpoint. Use letters, digits and dashes.")
    require_small(place.checkpoint, name)
    part = Path(mkdtemp(prefix=f".{name}.", dir=HERE))
    try:
        for file in FILES:
            shutil.copyfile(place.checkpoint / file, part / file)
        part.chmod(0o755)  # mkdtemp's is for the owner alone
        shutil.rmtree(HERE / name, ignore_errors=True)
        part.rename(HERE / name)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    write_manifest(HERE, name)
    keep_in_git(name)
    report(name)


def make_layouts(names: list[str]) -> None:
    """A map for each checkpoint that has none of its present reference, or for the named ones anyway.

    Raises:
        CheckpointError: a name that is not here, or a checkpoint without a reference.
        DataError: UMAP is not installed.
    """
    found = sorted(path.parent.name for path in HERE.glob(f"[!.]*/{REFERENCE}"))
    for name in names or [name for name in found if load_layout(HERE / name) is None]:
        making = making_layout(HERE / name, Settings())
        try:
            while True:
                print(name, next(making)[-1], flush=True)
        except StopIteration as end:
            write_layout(HERE / name / LAYOUT, end.value)
        seal(HERE / name)
        print(f"{name}: {(HERE / name / LAYOUT).stat().st_size / 1e3:.0f} kB", flush=True)


def is_complete(folder: Path) -> bool:
    """Whether a checkpoint folder has weights, card, panel and reference."""
    return all((folder / file).is_file() for file in FILES)


def require_small(folder: Path, name: str) -> None:
    """A clone should not take long.

    Raises:
        CheckpointError: a file, or all checkpoints together, would be too large.
    """
    sizes = {file: (folder / file).stat().st_size for file in FILES}
    for file, size in sizes.items():
        if size > LARGEST_FILE:
            raise CheckpointError(f"'{folder / file}' has {size // MEGABYTE} MB; {LARGEST_FILE // MEGABYTE} may ship.")
    others = sum(file.stat().st_size for file in HERE.glob("*/*.*") if file.parent.name != name)
    if others + sum(sizes.values()) > LARGEST_SUM:
        raise CheckpointError(
            f"With '{name}' the checkpoints would take {(others + sum(sizes.values())) // MEGABYTE} MB; "
            f"{LARGEST_SUM // MEGABYTE} may ship. Complete it with fewer scorers or rows, or leave one out."
        )


def keep_in_git(name: str) -> None:
    """Checkpoints of one's own are ignored; a shipped one gets its exception."""
    rules = IGNORED.read_text("utf-8").splitlines()
    path, first = f"/checkpoints/{name}/", rules.index("/checkpoints/*/")
    if any(fnmatch.fnmatch(path, rule.removeprefix("!")) for rule in rules if rule.startswith("!")):
        return
    with replacing(IGNORED) as part:
        part.write_text("\n".join([*rules[: first + 1], f"!{path}", *rules[first + 1 :]]) + "\n", "utf-8")


def report(name: str) -> None:
    """What a person wants to see of a build."""
    print(f"\n{name}")
    for entry in read_card(HERE / name).metrics:
        if entry.get("scorer", "energy") == "energy":
            print(f"  {entry['name']} {entry['value']:.4f} {entry.get('ood_set', '')}")
    for file in FILES:
        print(f"  {file} {(HERE / name / file).stat().st_size / 1e3:.0f} kB", flush=True)


def main(words: list[str]) -> None:
    """One of the forms above."""
    torch.set_num_threads(1)  # sums in another order differ in the last digits
    try:
        match words:
            case ["shapes", *names]:
                make_shapes(names)
            case ["from", folder, name]:
                ship(RunFolder(Path(folder)), name)
            case ["layouts", *names]:
                make_layouts(names)
            case ["outliers", name, _, *_]:
                count_outliers(name, words[2:])
            case _:
                print(__doc__)
                sys.exit(2)
    except OODError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
