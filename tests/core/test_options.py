"""Options: declared once, parsed from ``key=value``, checked, described and saved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinoscope.core.errors import OptionError
from kinoscope.core.options import Options, format_value, option, split_names


@dataclass(frozen=True, kw_only=True)
class Shared(Options):
    epochs: int = option(20, "passes over the clips", low=1)
    seed: int = option(0, "seed of everything random", low=0, high=9)
    device: str = option("auto", "where to compute", choices=("auto", "cpu", "cuda"))


@dataclass(frozen=True, kw_only=True)
class Blur(Shared):
    renamed: ClassVar[Mapping[str, str]] = {"width": "radius", "net.wide": "net.hidden"}
    epochs: int = option(3, "passes of the blur", low=1)
    radius: float = option(0.5, "radius in pixels", low=0, high=100)
    share: float = option(0.2, "share of the frames", above=0, below=1)
    shape: Literal["box", "disc"] = option("box", "shape of the kernel")
    kind: str = option("soft", "kind of the blur", choices=lambda: ["soft", "hard"])
    size: tuple[int, int] | None = option(None, "width and height of the frames; the network's if not given", low=1)
    labels: tuple[str, ...] = option((), "labels to blur", choices=("face", "plate", "screen"))
    rate: float | None = option(None, "frames per second; those of the video if not given", low=0)
    half: bool | None = option(None, "whether to compute in half precision")
    fast: bool = option(False, "whether to skip frames")
    name: str = option("", "name of the result")
    net_options: Mapping[str, Any] = option({}, "options of the network", group="net")

    def check(self) -> None:
        if self.fast and self.half:
            raise OptionError("fast=true needs half=false")


def test_values_have_the_types_of_their_options():
    options = Blur.parse(
        ["radius=2", "shape=disc", "kind=hard", "size=64x48", "labels=face, plate", "rate=1e-1", "half=no", "fast=On",
         "name=a=b, c ", "net.hidden=8", "net.deep=true", "net.rate=0.5", "net.act=relu", "epochs=1", "epochs=2"]
    )  # fmt: skip
    assert options == Blur(
        radius=2.0, shape="disc", kind="hard", size=(64, 48), labels=("face", "plate"), rate=0.1, half=False,
        fast=True, name="a=b, c ", epochs=2,
        net_options={"hidden": 8, "deep": True, "rate": 0.5, "act": "relu"},
    )  # fmt: skip
    assert Blur.parse(["size=64"]).size == (64, 64)
    assert Blur.parse(["size=auto", "half=none", "rate="], Blur(size=(3, 4), half=True, rate=1.0)) == Blur()


def test_pairs_apply_to_the_start():
    start = Blur(radius=3.0, net_options={"hidden": 8, "deep": True})
    assert Blur.parse([], start) == start
    changed = Blur.parse(["net.hidden=9", "seed=1"], start)
    assert (changed.radius, changed.seed, changed.net_options) == (3.0, 1, {"hidden": 9, "deep": True})
    assert start.net_options == {"hidden": 8, "deep": True}
    assert Blur().net_options is not Blur().net_options


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("radus=3", "there is no option radus; did you mean radius? options of blur: epochs, radius, share"),
        ("nets.hidden=3", "there is no option nets.hidden"),
        ("net_option=3", "there is no option net_option; options of blur"),
        ("radius", "radius is no option; give key=value, such as radius=0.5"),
        ("rate", "rate is no option; give key=value, such as epochs=3"),
        ("epochs=many", "epochs=many cannot be read; give a whole number"),
        ("epochs=1.5", "epochs=1.5 cannot be read; give a whole number"),
        ("radius=wide", "radius=wide cannot be read; give a number"),
        ("rate=fast", "rate=fast cannot be read; give a number"),
        ("fast=perhaps", "fast=perhaps cannot be read; give true or false"),
        ("size=1x2x3", "size=1x2x3 cannot be read; give a size such as 160x160"),
        ("size=axb", "size=axb cannot be read; give a size such as 160x160"),
        ("radius=200", "radius=200 is not possible; give 0 to 100"),
        ("radius=-1", "radius=-1 is not possible; give 0 to 100"),
        ("radius=nan", "radius=nan is not possible; give 0 to 100"),
        ("rate=inf", "rate=inf is not possible; give 0 or more"),
        ("epochs=0", "epochs=0 is not possible; give 1 or more"),
        ("share=1", "share=1 is not possible; give more than 0, less than 1"),
        ("share=0", "share=0 is not possible; give more than 0, less than 1"),
        ("size=0", "size=0x0 is not possible; give 1 or more"),
        ("shape=dsc", "shape=dsc is unknown; did you mean disc? choose from box, disc"),
        ("kind=sft", "kind=sft is unknown; did you mean soft? choose from soft, hard"),
        ("device=gpu", "device=gpu is unknown; did you mean cpu? choose from auto, cpu, cuda"),
        ("labels=face,plte", "labels=plte is unknown; did you mean plate? choose from face, plate, screen"),
    ],
)
def test_a_value_that_cannot_be_is_reported_in_one_line(pair, message):
    with pytest.raises(OptionError) as error:
        Blur.parse([pair], owner="blur")
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": "3"}, "epochs=3 is not possible; give a whole number"),
        ({"epochs": True}, "epochs=True is not possible; give a whole number"),
        ({"radius": "3"}, "radius=3 is not possible; give a number"),
        ({"fast": 1}, "fast=1 is not possible; give true or false"),
        ({"name": 1}, "name=1 is not possible; give a text"),
        ({"size": (1, 2, 3)}, r"size=\(1, 2, 3\) is not possible; give a size"),
        ({"labels": 3}, "labels=3 is not possible; give names, separated by commas"),
        ({"net_options": 3}, "net_options=3 is not possible; give names with values"),
        ({"shape": "star"}, "shape=star is unknown; choose from box, disc"),
        ({"fast": True, "half": True}, "fast=true needs half=false"),
    ],
)
def test_values_are_checked_where_they_are_given_directly(values, message):
    with pytest.raises(OptionError, match=f"^{message}"):
        Blur(**values)
    assert Blur(radius=3).radius == 3


def test_the_choices_of_a_function_are_read_when_they_are_needed():
    calls = []

    def choices():
        calls.append(1)
        return ["a", "b"]

    @dataclass(frozen=True, kw_only=True)
    class Lazy(Options):
        name: str = option("a", "a name", choices=choices)

    assert Lazy.describe() == [("name", "a", "a name")]
    assert not calls
    Lazy.parse(["name=b"])
    assert calls


def test_own_options_come_before_inherited_ones():
    rows = Blur.describe()
    assert [name for name, _, _ in rows] == [
        "epochs", "radius", "share", "shape", "kind", "size", "labels", "rate", "half", "fast", "name", "seed",
        "device",
    ]  # fmt: skip
    assert rows[0] == ("epochs", "3", "passes of the blur")
    assert [default for _, default, _ in rows[1:]] == [
        "0.5", "0.2", "box", "soft", "", "", "", "", "false", "", "0", "auto",
    ]  # fmt: skip
    assert list(Blur().to_dict()) == [name for name, _, _ in rows[:11]] + ["net_options", "seed", "device"]
    assert Shared.describe()[0] == ("epochs", "20", "passes over the clips")


def test_saved_options_are_read_again_with_old_names_too():
    options = Blur(size=(3, 4), labels=("face",), net_options={"hidden": 3})
    plain = json.loads(json.dumps(options.to_dict()))
    assert Blur.from_dict(plain) == options
    assert Blur.from_dict({}) == Blur()
    old = {"width": 2.0, "net_options": {"wide": 3, "deep": True}, "seed": 1}
    assert Blur.from_dict(old) == Blur(radius=2.0, net_options={"hidden": 3, "deep": True}, seed=1)
    with pytest.raises(OptionError, match="there is no option other"):
        Blur.from_dict({"other": 1})


def test_an_old_name_is_accepted_with_a_warning(capsys):
    options = Blur.parse(["width=2", "net.wide=3"], owner="blur")
    assert (options.radius, options.net_options) == (2.0, {"hidden": 3})
    assert capsys.readouterr().err == (
        "kinoscope: option width of blur is now called radius; the old name goes with the next release\n"
        "kinoscope: option net.wide of blur is now called net.hidden; the old name goes with the next release\n"
    )


def test_an_option_that_is_not_declared_is_a_mistake():
    @dataclass(frozen=True, kw_only=True)
    class Plain(Options):
        steps: int = 3

    with pytest.raises(TypeError, match=r"Plain\.steps is not declared with option"):
        Plain()


NAMES = st.lists(st.sampled_from(["face", "plate", "screen"])).map(tuple)
VALUES = st.fixed_dictionaries(
    {
        "epochs": st.integers(1, 10**9),
        "radius": st.floats(0, 100),
        "shape": st.sampled_from(["box", "disc"]),
        "size": st.none() | st.tuples(st.integers(1, 9999), st.integers(1, 9999)),
        "labels": NAMES,
        "rate": st.none() | st.floats(0, 1e6),
        "half": st.sampled_from([None, False]),
        "fast": st.booleans(),
        "name": st.text(),
    }
)


@given(VALUES)
def test_what_is_formatted_is_parsed_to_the_same(values):
    assert Blur.parse([f"{name}={format_value(value)}" for name, value in values.items()]) == Blur(**values)


@given(VALUES)
def test_what_is_saved_is_read_to_the_same(values):
    options = Blur(**values)
    assert Blur.from_dict(json.loads(json.dumps(options.to_dict()))) == options


def test_names_are_split_at_commas():
    assert split_names(" a, b,,c ") == ("a", "b", "c")
    assert split_names("") == ()


def test_names_in_one_text_are_split_wherever_they_are_given() -> None:
    assert Blur(labels="face, plate").labels == Blur(labels=("face,plate",)).labels == ("face", "plate")  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class Scores(Options):
    """Options with several numbers."""

    scores: tuple[float, float, float] = option((0.5, 0.25, 1.0), "minimum scores", low=0, high=1)


def test_several_numbers_are_separated_by_commas() -> None:
    assert Scores.parse(["scores=0.1,0.2,1"]).scores == (0.1, 0.2, 1.0)
    assert Scores.describe() == [("scores", "0.5,0.25,1.0", "minimum scores")]
    with pytest.raises(OptionError, match=r"scores=\(0\.1, 0\.2\) is not possible; give numbers, separated by commas"):
        Scores.parse(["scores=0.1,0.2"])
    with pytest.raises(OptionError, match=r"scores=0\.1,0\.2,3 is not possible; give 0 to 1"):
        Scores(scores=(0.1, 0.2, 3))


def test_the_help_of_a_class_lists_its_options() -> None:
    assert Scores.attributes_help() == "Attributes:\n    scores: minimum scores."
