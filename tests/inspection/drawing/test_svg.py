"""Networks drawn as SVG: read back from the picture."""

import itertools
import re
import xml.etree.ElementTree as ElementTree

import pytest
import torch

from recurra.cells import cell_names
from recurra.cells.registry import find_cell
from recurra.inspection import Network, folded_svg, unfolded_svg
from recurra.inspection.drawing.strokes import rounded_path

SPACE = "{http://www.w3.org/2000/svg}"
BOX, BADGE = "14", "8"

NETWORKS = {
    "elman": Network("Elman"),
    "lstm": Network("LSTM", ("h", "c"), loss=True),
    "stacked": Network("GRU", num_layers=3),
    "one to one": Network("GRU", form="one-to-one"),
    "one to many": Network("LSTM", ("h", "c"), form="one-to-many", feedback=True),
    "many to one": Network("GRU", form="many-to-one", num_steps=5, num_layers=2),
    "encoder": Network("GRU", form="encoder-decoder", loss=True),
    "deep encoder": Network("LSTM", ("h", "c"), form="encoder-decoder", num_layers=2, num_steps=6, feedback=True),
    "both": Network("LSTM", ("h", "c"), bidirectional=True, num_layers=2, num_steps=4),
    "both to one": Network("GRU", bidirectional=True, form="many-to-one", num_steps=4),
    "both and long": Network("sLSTM", ("h", "c", "n", "m"), bidirectional=True, num_layers=2, num_steps=12345),
    "five states": Network("Recurrent gates", ("h", "c", "i", "f", "o"), recurrent=("h", "i", "f", "o")),
    "no weights": Network("IndRNN", recurrent=()),
    "long names": Network("MyVeryOwnRecurrentCell <&>", ("hidden", "c_open"), recurrent=("hidden", "c_open")),
}
every_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=list(NETWORKS))
both_drawings = pytest.mark.parametrize("draw", [folded_svg, unfolded_svg])


def texts(root):
    return ["".join(element.itertext()) for element in root.iter(f"{SPACE}text")]


def rectangles(root, radius=None):
    found = [element for element in root.iter(f"{SPACE}rect") if radius in (None, element.get("rx"))]
    return [tuple(float(element.get(key)) for key in ("x", "y", "width", "height")) for element in found]


def badges(root):
    """Every badge's text with its colour, the lettering being next to its frame."""
    elements = list(root)
    return [
        ("".join(after.itertext()), element.get("fill"))
        for element, after in itertools.pairwise(elements)
        if element.tag == f"{SPACE}rect" and element.get("rx") == BADGE
    ]


def parsed(text):
    return ElementTree.fromstring(text)


@both_drawings
@every_network
def test_a_drawing_stands_alone(draw, network):
    text = draw(network)
    root = parsed(text)

    assert root.tag == f"{SPACE}svg"
    assert network.cell in root.find(f"{SPACE}title").text
    assert len(root.find(f"{SPACE}desc").text) > 80
    allowed = {"svg", "title", "desc", "rect", "path", "polygon", "text", "tspan", "circle"}
    assert {element.tag.removeprefix(SPACE) for element in root.iter()} <= allowed
    attributes = {key for element in root.iter() for key in element.attrib}
    assert attributes.isdisjoint({"id", "href", "class", "style"})
    assert "url(" not in text
    assert text == draw(network)


@both_drawings
@every_network
def test_all_lies_on_the_page_and_no_frame_on_another(draw, network):
    root = parsed(draw(network))
    left, top, width, height = map(float, root.get("viewBox").split())

    frames = [frame for radius in (BOX, BADGE, "25") for frame in rectangles(root, radius)]
    for x, y, w, h in rectangles(root):
        assert left <= x <= x + w <= left + width
        assert top <= y <= y + h <= top + height
    for (x, y, w, h), (u, v, k, m) in itertools.combinations(frames, 2):
        assert x + w < u or u + k < x or y + h < v or v + m < y, ((x, y, w, h), (u, v, k, m))
    for element in root.iter(f"{SPACE}text"):
        assert left < float(element.get("x")) < left + width
        assert top < float(element.get("y")) < top + height


@both_drawings
@every_network
def test_a_weight_has_one_colour_everywhere(draw, network):
    colours = {}
    for text, colour in badges(parsed(draw(network))):
        colours.setdefault(text, set()).add(colour)

    assert len(colours) >= 2
    assert all(len(found) == 1 for found in colours.values())


def test_every_step_is_a_copy_with_the_same_weights():
    root = parsed(unfolded_svg(Network("GRU", num_steps=4)))

    names = [text for text, _ in badges(root)]
    assert len(rectangles(root, BOX)) == 4
    # one a step and one below the drawing
    assert {name: names.count(name) for name in names} == {"Wx": 5, "Wh": 5, "Wy": 5}
    assert {"h0", "h1", "h2", "h3", "h4", "x1", "x4", "y1", "y4"} <= set(texts(root))


@pytest.mark.parametrize(
    ("form", "inputs", "outputs"),
    [
        ("one-to-one", "x1", "y1"),
        ("one-to-many", "x1", "y1 y2 y3"),
        ("many-to-one", "x1 x2 x3", "y3"),
        ("many-to-many", "x1 x2 x3", "y1 y2 y3"),
        ("encoder-decoder", "x1 x2 x3", "y1 y2 y3"),
    ],
)
def test_a_form_has_its_inputs_and_outputs(form, inputs, outputs):
    found = texts(parsed(unfolded_svg(Network("GRU", form=form))))

    assert sorted(text for text in found if re.fullmatch(r"[xy]\d", text)) == sorted((inputs + " " + outputs).split())


def test_subscripts_are_lowered_and_layers_raised():
    root = parsed(unfolded_svg(Network("GRU", num_layers=2)))

    (name,) = [element for element in root.iter(f"{SPACE}text") if "".join(element.itertext()) == "h1(2)"]
    below, above = name.findall(f"{SPACE}tspan")
    assert name.text == "h"
    assert float(below.get("dy")) > 0
    assert float(above.get("y")) < float(name.get("y"))


@pytest.mark.parametrize(("num_steps", "dots", "boxes"), [(8, 0, 8), (9, 3, 7), (1000, 3, 7)])
def test_from_nine_steps_on_the_middle_is_left_out(num_steps, dots, boxes):
    root = parsed(unfolded_svg(Network("GRU", num_steps=num_steps)))

    assert len(list(root.iter(f"{SPACE}circle"))) == 3 * dots
    assert len(rectangles(root, BOX)) == boxes
    assert f"y{num_steps}" in texts(root)


def test_the_decoder_has_states_and_weights_of_its_own():
    root = parsed(unfolded_svg(Network("GRU", form="encoder-decoder", num_steps=2, feedback=True)))

    found = texts(root)
    assert {"h0", "h1", "h2", "h′1", "h′2", "encoder", "decoder"} <= set(found)
    assert "h′0" not in found
    assert [text for text, _ in badges(root)].count("W′x") == 3
    dashed = [element for element in root.iter(f"{SPACE}rect") if element.get("stroke-dasharray")]
    assert len(dashed) == 3


def test_both_directions_have_weights_of_their_own_and_states_against_time():
    root = parsed(unfolded_svg(Network("GRU", bidirectional=True)))

    found = texts(root)
    # forward h_0 to h_3, backward h_4 to h_1
    assert [found.count(f"h{time}") for time in range(5)] == [1, 2, 2, 2, 1]
    assert found.count("concat") == 3
    assert [text for text, _ in badges(root)].count("Wh") == 2 * 4


def test_many_to_one_in_both_directions_joins_once():
    root = parsed(unfolded_svg(Network("GRU", bidirectional=True, form="many-to-one", num_layers=2)))

    assert texts(root).count("concat") == 3 + 1


def test_each_output_has_a_loss_if_asked():
    assert {"L1", "L2", "L3"} <= set(texts(parsed(unfolded_svg(Network("GRU", loss=True)))))
    assert "Lt" in texts(parsed(folded_svg(Network("GRU", loss=True))))
    assert "L1" not in texts(parsed(unfolded_svg(Network("GRU"))))


def test_a_folded_network_hands_every_state_to_itself():
    root = parsed(folded_svg(Network("LSTM", ("h", "c"))))

    assert {"ht", "ht−1", "ct", "ct−1", "xt", "yt"} <= set(texts(root))
    assert len(rectangles(root, BOX)) == 1


def test_a_folded_network_says_when_it_reads_and_writes():
    def found(**options):
        return texts(parsed(folded_svg(Network("GRU", **options))))

    assert {"xt", "yT", "at the last step"} <= set(found(form="many-to-one"))
    assert {"x1", "yt", "at the first step"} <= set(found(form="one-to-many"))
    assert {"x1", "y1", "once"} <= set(found(form="one-to-one"))
    assert {"x1", "yt−1", "first step", "then"} <= set(found(form="one-to-many", feedback=True))
    assert {"hT", "h′t−1", "encoder", "decoder"} <= set(found(form="encoder-decoder"))
    assert {"ht−1", "ht+1", "forward", "backward", "xt", "at every step"} <= set(found(bidirectional=True))


def test_a_folded_network_of_both_directions_says_when_it_reads_and_writes():
    def found(form):
        return texts(parsed(folded_svg(Network("GRU", form=form, bidirectional=True, num_layers=2))))

    once, last, every = found("one-to-one"), found("many-to-one"), found("many-to-many")

    assert (once.count("once"), "x1" in once, "y1" in once, "at every step" in once) == (2, True, True, False)
    # only what stands above the last layer is of two steps
    assert [last.count(words) for words in ("xt", "at every step", "of step T", "of step 1", "yT")] == [1] * 5
    assert "at the end" in last
    assert not {"of step T", "of step 1"} & set(every)


@both_drawings
def test_names_are_written_as_they_are(draw):
    root = parsed(draw(Network("<b>&\"'", ("a<b",), input="u&v")))

    assert root.find(f"{SPACE}title").text.startswith("<b>&\"'")
    assert any("a<b" in text for text in texts(root))
    assert any("u&v" in text for text in texts(root))


def test_a_long_name_is_set_in_two_lines():
    root = parsed(unfolded_svg(Network("MyVeryOwnRecurrentCell", num_steps=1)))

    assert {"MyVeryOwn", "RecurrentCell"} <= set(texts(root))


@pytest.mark.parametrize("name", cell_names())
def test_every_cell_can_be_drawn(name):
    cell = find_cell(name)
    states = getattr(cell, "states", ("h",))
    assert issubclass(cell, torch.nn.Module)

    network = Network(cell.__name__, tuple(states))

    assert parsed(unfolded_svg(network)) is not None
    assert parsed(folded_svg(network)) is not None


def test_corners_of_lines_are_round():
    assert rounded_path([(0, 0), (10, 0)]) == "M0 0L10 0"
    # short pieces have smaller corners
    assert rounded_path([(0, 0), (100, 0), (100, 10)]) == "M0 0L95 0Q100 0 100 5L100 10"
