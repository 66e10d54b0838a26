"""Column names that carry the convention, so that values of two conventions cannot meet in one column."""

from oodcore.report.row import Convention

__all__ = ["key", "label", "meaning"]


def key(metric: str, how: Convention, /) -> str:
    """For machines: `fpr95_ood_positive_first`, `aupr_id_positive_step`, `auroc`."""
    parts = [metric]
    if metric.startswith("fpr"):
        parts.append(how.rule)
    if metric.startswith("aupr"):
        parts.append(how.interpolation)
    if how.pooling != "pooled":
        parts.append(how.pooling.replace(" ", "_"))
    return "_".join(parts)


def label(metric: str, how: Convention, /) -> str:
    """For people: `FPR95 (OOD positive, first)`, `AUPR (ID positive, step)`, `AUROC`."""
    if metric == "detection_error":
        name, notes = "Detection error", []
    else:
        head, _, positive = metric.partition("_")
        name, notes = head.upper(), [f"{positive.partition('_')[0].upper()} positive"] if positive else []
    if metric.startswith("fpr"):
        notes.append(how.rule)
    if metric.startswith("aupr"):
        notes.append(how.interpolation)
    if how.pooling != "pooled":
        notes.append(how.pooling)
    return f"{name} ({', '.join(notes)})" if notes else name


def meaning(metric: str, how: Convention, /) -> str:
    """The label and one sentence."""
    return f"{label(metric, how)}: {_sentence(metric, how)}"


def _sentence(metric: str, how: Convention) -> str:
    if metric == "auroc":
        return "chance that an OOD image scores above an ID image, ties counting half; 50 is guessing."
    if metric == "detection_error":
        return "smallest mean of missed OOD and flagged ID over all thresholds; 50 is guessing."
    if metric.startswith("aupr"):
        how_summed = "average precision" if how.interpolation == "step" else "trapezoids under the curve"
        return f"area under precision and recall ({how_summed}); guessing gives the share of the positive class."
    wanted, taken = ("OOD is caught", "ID flagged") if "ood" in metric else ("ID is kept", "OOD passed")
    chosen = "first threshold that does" if how.rule == "first" else "threshold with the nearest recall"
    return f"share of {taken} when {100 * how.recall:g}% of {wanted} ({chosen})."
