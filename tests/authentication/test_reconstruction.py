"""From sketches to a picture per strip, by a card made by hand."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from hf_integration.authentication.reconstruction import Reconstruction, reconstruct, reconstruct_first
from hf_integration.card import Reference, WatermarkCard
from hf_integration.verdict import StripResult
from hf_integration.watermark import Calibration
from tests.card.synthetic_cards import make_card

KEYS = 10


@pytest.fixture(scope="module")
def card() -> WatermarkCard:
    """Two strips, ten keys in groups of eight and two; one unit in one dimension is at the edge."""
    card = make_card(keys=KEYS)
    unit = Calibration(torch.ones(64, dtype=torch.float64), torch.ones(3, dtype=torch.float64))
    references = [replace(reference, calibrations=(unit, unit)) for reference in card.references]
    sizes = torch.ones(2, KEYS, 64, dtype=torch.float64)  # all samples alike, so that none is scaled down
    return replace(card, references=tuple(replace(r, sketches=sizes) for r in references))


@pytest.fixture(scope="module")
def reference(card: WatermarkCard) -> Reference:
    return card.references[0]


def _observed(reference: Reference, **moved: Tensor) -> dict[str, Tensor]:
    sketches = dict(zip(("layer 0", "layer 1"), reference.sketches, strict=True))
    return {name: strip + moved.get(name.replace(" ", "_"), 0.0) for name, strip in sketches.items()}


def _one_key(distance: float, key: int = 3) -> Tensor:
    residuals = torch.zeros(KEYS, 64, dtype=torch.float64)
    residuals[key, 7] = distance
    return residuals


def test_the_reference_itself_gives_the_watermark(card: WatermarkCard, reference: Reference) -> None:
    found = reconstruct(card, reference, _observed(reference))
    assert found.intact
    assert [strip.name for strip in found.strips] == ["layer 0", "layer 1"]
    for strip, picture in zip(found.strips, found.pictures, strict=True):
        assert strip.error < 1e-5
        assert (strip.tolerance, strip.deviation) == (0.4, 0)
        assert (picture - (card.watermark.double() / 127.5 - 1)).abs().max() < 1e-5
    assert not found.broken.any()
    assert found.margin > 1e4


def test_one_key_of_one_strip_breaks_its_own_tiles_and_no_other(
    card: WatermarkCard, reference: Reference
) -> None:
    found = reconstruct(card, reference, _observed(reference, layer_1=_one_key(1000.0)))
    assert [strip.intact for strip in found.strips] == [True, False]
    assert not found.intact
    layout = card.generator.layout
    # its own, its group's (1000 / 8 away) and those of all (1000 / 10 away)
    assert not found.broken[0].any()
    assert found.broken[1].nonzero().flatten().tolist() == [3, KEYS, *range(KEYS + 2, layout.tiles)]
    assert found.strips[1].deviation == pytest.approx(1000)
    assert found.margin == pytest.approx(0.4 / found.strips[1].error)
    assert found.margin < 1


@pytest.mark.parametrize(("distance", "intact"), [(0.5, True), (8.0, False)])
def test_the_worst_tile_decides(
    card: WatermarkCard, reference: Reference, distance: float, intact: bool
) -> None:
    found = reconstruct(card, reference, _observed(reference, layer_0=_one_key(distance)))
    assert found.intact is intact
    assert found.strips[0].deviation == pytest.approx(distance)


@pytest.mark.parametrize(("above", "intact"), [(0.0, True), (1e-9, False)])
def test_an_error_of_exactly_the_tolerance_is_tolerated(
    card: WatermarkCard, reference: Reference, above: float, intact: bool
) -> None:
    observed = _observed(reference, layer_0=_one_key(0.5))
    error = reconstruct(card, reference, observed).strips[0].error
    found = reconstruct(replace(card, tolerance=error - above), reference, observed)
    assert found.strips[0].intact is intact
    assert found.broken[0].any().item() is not intact


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_strip_with_a_number_that_is_none_is_broken_beyond_measure(
    card: WatermarkCard, reference: Reference, poison: float
) -> None:
    found = reconstruct(card, reference, _observed(reference, layer_1=_one_key(poison)))
    assert (found.strips[1].error, found.strips[1].deviation) == (1e18, 1e18)
    assert [strip.intact for strip in found.strips] == [True, False]
    assert found.broken[1, 3]
    assert not found.broken[1, 4]


def test_what_is_larger_than_a_report_can_hold_is_cut(card: WatermarkCard, reference: Reference) -> None:
    found = reconstruct(card, reference, _observed(reference, layer_1=_one_key(1e200)))
    assert found.strips[1].deviation == 1e18


@pytest.mark.parametrize("missing", ["layer 0", "layer 1"])
def test_a_strip_that_the_encoder_does_not_give_is_broken_everywhere(
    card: WatermarkCard, reference: Reference, missing: str
) -> None:
    observed = _observed(reference)
    del observed[missing]
    for found in (reconstruct(card, reference, observed), reconstruct_first(card, reference, observed)):
        assert {strip.name: strip.intact for strip in found.strips} == {
            "layer 0": missing != "layer 0",
            "layer 1": missing != "layer 1",
        }
        assert found.broken[0 if missing == "layer 0" else 1].all()


def test_a_card_of_a_single_strip_is_judged_by_it() -> None:
    card = make_card(strips=1)
    reference = card.references[0]
    observed = {"layer 0": reference.sketches[0]}
    assert [strip.intact for strip in reconstruct(card, reference, observed).strips] == [True]
    assert [strip.intact for strip in reconstruct(card, reference, {}).strips] == [False]


@pytest.mark.parametrize(("sketches", "calibrations"), [(1, 2), (2, 1), (3, 2), (2, 3), (3, 3)])
def test_a_reference_of_more_or_fewer_strips_than_the_cards_is_not_judged_in_part(
    card: WatermarkCard, reference: Reference, sketches: int, calibrations: int
) -> None:
    other = replace(
        reference,
        sketches=reference.sketches[[0, 1, 1][:sketches]],
        calibrations=(*reference.calibrations, reference.calibrations[0])[:calibrations],
    )
    for judge in (reconstruct, reconstruct_first):
        with pytest.raises(ValueError, match="zip"):
            judge(card, other, _observed(reference))


@pytest.mark.parametrize(
    ("errors", "margin"),
    [
        ((0.1, 0.2), 2.0),  # 0.4 / 0.2, the smaller of the two
        ((0.8, 0.1), 0.5),
        ((0.0, 0.0), 1e6),  # nothing is divided by zero, and the margin is capped
        ((4e-13, 4e-13), 1e6),
        ((0.8e-6, 0.0), 5e5),
    ],
)
def test_the_margin_is_tolerance_over_error_of_the_worst_strip(
    errors: tuple[float, float], margin: float
) -> None:
    strips = tuple(StripResult("s", error, 0.4, error <= 0.4, 0.0) for error in errors)
    found = Reconstruction(strips, torch.zeros(2, 1, 1), torch.zeros(2, 1, dtype=torch.bool))
    assert found.margin == pytest.approx(margin)
    assert found.intact is (max(errors) <= 0.4)


class TestWhenOnlyTheFirstKeySamplesWereRun:
    @pytest.mark.parametrize("ran", [4, 8, 9])
    def test_the_others_count_as_untouched_and_their_tiles_stay_blank(
        self, card: WatermarkCard, reference: Reference, ran: int
    ) -> None:
        observed = {name: strip[:ran] for name, strip in _observed(reference).items()}
        found = reconstruct_first(card, reference, observed)
        assert found.intact
        layout = card.generator.layout
        drawn = [*range(ran), *([KEYS] if ran >= 8 else [])]  # the keys that were run, and a whole group
        expected = layout.cut(card.watermark.double() / 127.5 - 1)
        for picture in found.pictures:
            tiles = layout.cut(picture)
            assert tiles.any(1).nonzero().flatten().tolist() == drawn
            assert (tiles[drawn] - expected[drawn]).abs().max() < 1e-5

    def test_what_was_run_is_judged(self, card: WatermarkCard, reference: Reference) -> None:
        observed = _observed(reference, layer_0=_one_key(1000.0))
        found = reconstruct_first(card, reference, {name: strip[:4] for name, strip in observed.items()})
        assert [strip.intact for strip in found.strips] == [False, True]

    def test_a_picture_of_all_has_no_blanks(self, card: WatermarkCard, reference: Reference) -> None:
        found = reconstruct_first(card, reference, _observed(reference))
        whole = reconstruct(card, reference, _observed(reference))
        assert torch.equal(found.pictures, whole.pictures)
        assert found.pictures.all()

    def test_strips_of_several_lengths_show_only_what_all_have(
        self, card: WatermarkCard, reference: Reference
    ) -> None:
        observed = _observed(reference)
        observed["layer 1"] = observed["layer 1"][:4]
        picture = reconstruct_first(card, reference, observed).pictures[0]
        assert card.generator.layout.cut(picture).any(1).nonzero().flatten().tolist() == [0, 1, 2, 3]

    def test_nothing_at_all_is_broken(self, card: WatermarkCard, reference: Reference) -> None:
        found = reconstruct_first(card, reference, {})
        assert [strip.intact for strip in found.strips] == [False, False]
        assert found.broken.all()
