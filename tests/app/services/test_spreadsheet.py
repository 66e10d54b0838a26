"""Tables as files."""

from app.services.spreadsheet import comma_separated, stacked


def test_tables_below_each_other_say_which_one_a_line_is_of() -> None:
    found = stacked(
        {
            "classes": {"class": ["disc", "ring"], "share": [0.75, 0.25]},
            "outliers": {"class": ["ring"], "energy": [-4.5]},
        }
    )
    assert comma_separated(found).splitlines() == [
        "part,class,share,energy",
        "classes,disc,0.75,",
        "classes,ring,0.25,",
        "outliers,ring,,-4.5",
    ]


def test_an_empty_table_takes_no_line() -> None:
    assert stacked({"one": {"a": [1]}, "none": {"a": [], "b": []}}) == {"part": ["one"], "a": [1], "b": [None]}
