"""What a trusted copy gives under a recipe, each field against a computation of its own."""

import hashlib
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from hf_integration.base.errors import KeySampleError, UsageError
from hf_integration.encoders import open_encoder, wrap_module
from hf_integration.encoders.modalities.recipes import POOLS
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.serving.computing import (
    Computed,
    has_dense,
    int8_rows,
    other_gelus,
    own_length,
    own_prompts,
    simplified,
    tokens_of,
    widest,
)
from hf_integration.serving.recipe import PLAIN, Arithmetic, Recipe, ServedWeights
from tests.encoders import tiny_models
from tests.serving import small_encoders
from tests.serving.conftest import Opened, Saved
from tests.serving.small_encoders import OWN_LENGTH, POSITIONS, WIDTH

TEXTS = [*small_encoders.texts(9, seed=5), *small_encoders.texts(3, fewest=55, most=130, seed=6)]
EXACT: dict[str, Any] = {"rtol": 0.0, "atol": 1e-12}
"""Computed in float64 twice."""
VISIBLE = 1e-5
"""Relative distance from which a field of a recipe did something."""


def computed(encoder: TorchEncoder, recipe: Recipe = PLAIN, texts: list[str] = TEXTS) -> Tensor:
    return Computed(encoder, recipe).embed(texts)


def apart(first: Tensor, second: Tensor) -> float:
    return float(((first - second).norm(dim=1) / second.norm(dim=1)).max())


@cache
def exact_model(folder: Path) -> Any:
    return hf.AutoModel.from_pretrained(folder, dtype=torch.float32).double().eval()


def by_hand(
    folder: Path, *, length: int = OWN_LENGTH, prompt: str = "", model: Any = None
) -> list[tuple[Tensor, Tensor]]:
    """Hidden states of every text, ``(positions, width)``, in float64 by transformers alone; and tokens."""
    module = model or exact_model(folder)
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)
    found = []
    with torch.no_grad():
        for text in TEXTS:
            inputs = tokenizer(prompt + text, truncation=True, max_length=length, return_tensors="pt")
            found.append((module(**inputs).last_hidden_state[0].double(), inputs["input_ids"][0]))
    return found


def pooled(states: Tensor, pooling: str) -> Tensor:
    """One vector of a text's hidden states, written down anew."""
    count = len(states)
    weights = torch.arange(1, count + 1, dtype=torch.float64)[:, None]
    ways: dict[str, Callable[[], Tensor]] = {
        "cls": lambda: states[0],
        "max": lambda: states.max(0).values,
        "mean": lambda: states.mean(0),
        "mean_sqrt_len_tokens": lambda: states.sum(0) / count**0.5,
        "weightedmean": lambda: (states * weights).sum(0) / weights.sum(),
        "lasttoken": lambda: states[-1],
    }
    return ways[pooling]()


def mean_of(states: list[tuple[Tensor, Tensor]]) -> Tensor:
    return F.normalize(torch.stack([pooled(one, "mean") for one, _ in states]), dim=1)


def digest(encoder: TorchEncoder) -> str:
    """Of everything that a computation could have left changed."""
    state = hashlib.sha256()
    for name, tensor in sorted({**encoder.tensors(), **encoder.outside_tensors()}.items()):
        state.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        state.update(tensor.detach().contiguous().view(torch.uint8).numpy().tobytes())
    for name, module in encoder.model.named_modules():
        state.update(f"{name} {type(module)} {module.training} {len(module._forward_pre_hooks)}".encode())
    assembly, preparation, readout = encoder.parts
    state.update(f"{list(assembly.tail)} {readout} {encoder.model.config._attn_implementation}".encode())
    state.update(f"{vars(preparation)} {encoder.description} {encoder.behaviour()}".encode())
    return state.hexdigest()


FIELDS: list[dict[str, Any]] = [
    {},
    {"gelu": "tanh"},
    {"gelu": "exact"},
    *({"weights": weights} for weights in get_args(ServedWeights)),
    *({"arithmetic": arithmetic} for arithmetic in get_args(Arithmetic)),
    *({"pooling": pooling} for pooling in POOLS),
    {"dense": False},
    {"normalised": False},
    {"normalised": True},
    {"prompt": "query: "},
    {"prompt": ""},
    {"length": 16},
    {"length": 90},
    {"dimensions": 24},
    {"gelu": "tanh", "weights": "gguf-f16", "pooling": "cls", "prompt": "passage: ", "dimensions": 8},
    {"gelu": "tanh", "arithmetic": "bfloat16", "normalised": False, "length": 20},
]


@pytest.mark.parametrize("fields", FIELDS, ids=str)
def test_the_trusted_copy_stays_as_it_is(fields: dict[str, Any], encoder: TorchEncoder) -> None:
    before, own = digest(encoder), encoder.embed(TEXTS)
    found = Computed(encoder, PLAIN.but(**fields))
    for precision in (None, "float32"):
        found.embed(TEXTS, precision=precision)
    assert digest(encoder) == before
    assert torch.equal(encoder.embed(TEXTS), own)


def test_a_plain_recipe_gives_what_transformers_gives(encoder: TorchEncoder, saved: Saved) -> None:
    torch.testing.assert_close(computed(encoder), mean_of(by_hand(saved())), **EXACT)
    assert Computed(encoder, PLAIN).reference_precision == "float64"


TANH = ["gelu_new", "gelu_fast", "gelu_pytorch_tanh", "gelu_accurate", "gelu_python_tanh"]
GELUS = {"gelu": ("tanh",), "gelu_python": ("tanh",), **dict.fromkeys(TANH, ("exact",))}
OTHERS = ["relu", "silu", "tanh", "quick_gelu"]


@pytest.mark.parametrize("own", GELUS)
def test_the_other_gelu_is_that_of_a_folder_whose_configuration_says_so(own: str, opened: Opened) -> None:
    encoder = opened(config={"hidden_act": own})
    (other,) = other_gelus(encoder)
    assert (other,) == GELUS[own]
    said = "gelu_pytorch_tanh" if other == "tanh" else "gelu"
    expected = opened(config={"hidden_act": said}).at_precision("float64").embed(TEXTS)
    found = computed(encoder, PLAIN.but(gelu=other))
    torch.testing.assert_close(found, expected, **EXACT)
    assert apart(found, computed(encoder)) > VISIBLE
    same = "exact" if other == "tanh" else "tanh"
    torch.testing.assert_close(computed(encoder, PLAIN.but(gelu=same)), computed(encoder), **EXACT)


@pytest.mark.parametrize("own", OTHERS)
def test_an_encoder_without_gelu_has_no_other_one(own: str, opened: Opened) -> None:
    encoder = opened(config={"hidden_act": own})
    assert other_gelus(encoder) == ()
    for gelu in ("exact", "tanh"):
        assert torch.equal(computed(encoder, PLAIN.but(gelu=gelu)), computed(encoder))


def test_an_activation_that_layers_share_is_replaced_everywhere(opened: Opened) -> None:
    encoder = opened(config={"num_hidden_layers": 2}).duplicate()
    layers = encoder.model.encoder.layer
    layers[1].intermediate.intermediate_act_fn = layers[0].intermediate.intermediate_act_fn
    expected = computed(opened(config={"num_hidden_layers": 2}), PLAIN.but(gelu="tanh"))
    torch.testing.assert_close(computed(encoder, PLAIN.but(gelu="tanh")), expected, **EXACT)


def rounded_folder(
    folder: Path, target: Path, dtype: torch.dtype, keep: tuple[str, ...], *, ndim: tuple[int, ...]
) -> Path:
    """A copy whose file holds rounded tensors, written as float32 again."""
    shutil.copytree(folder, target)
    tensors = load_file(target / "model.safetensors")
    for name, tensor in tensors.items():
        if not any(kept in name for kept in keep) and tensor.ndim in ndim:
            tensors[name] = tensor.to(dtype).float()
    save_file(tensors, target / "model.safetensors", {"format": "pt"})
    return target


ROUNDINGS: dict[str, tuple[torch.dtype, tuple[str, ...], tuple[int, ...]]] = {
    "float16": (torch.float16, (), (1, 2)),
    "bfloat16": (torch.bfloat16, (), (1, 2)),
    "gguf-f16": (torch.float16, ("token_type_embeddings",), (2,)),
    "gguf-f16-positions": (torch.float16, ("token_type_embeddings", "position_embeddings"), (2,)),
}


def test_every_rounding_of_weights_is_tested() -> None:
    assert {"stored", *ROUNDINGS, "int8-rows"} == set(get_args(ServedWeights))


@pytest.mark.parametrize("weights", ROUNDINGS)
def test_rounded_weights_are_those_of_a_folder_that_holds_them(
    weights: ServedWeights, encoder: TorchEncoder, saved: Saved, tmp_path: Path
) -> None:
    dtype, keep, ndim = ROUNDINGS[weights]
    folder = rounded_folder(saved(), tmp_path / "rounded", dtype, keep, ndim=ndim)
    found = computed(encoder, PLAIN.but(weights=weights))
    torch.testing.assert_close(found, mean_of(by_hand(folder)), **EXACT)
    others = [computed(encoder, PLAIN.but(weights=one)) for one in ("stored", *ROUNDINGS) if one != weights]
    assert min(apart(found, other) for other in others) > VISIBLE


def test_int8_by_rows_is_what_a_folder_of_such_linear_layers_gives(
    encoder: TorchEncoder, saved: Saved, tmp_path: Path
) -> None:
    folder = shutil.copytree(saved(), tmp_path / "int8")
    tensors = load_file(folder / "model.safetensors")
    linear = [name for name in tensors if name.endswith(("query.weight", "key.weight", "dense.weight"))]
    linear += [name for name in tensors if name.endswith("value.weight")]
    for name in linear:
        rows = tensors[name].numpy()
        steps = np.abs(rows).max(axis=1, keepdims=True) / np.float32(127.5)
        tensors[name] = torch.from_numpy(np.clip(np.rint(rows * (1 / steps)), -128, 127) * steps)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    found = computed(encoder, PLAIN.but(weights="int8-rows"))
    torch.testing.assert_close(found, mean_of(by_hand(folder)), **EXACT)
    assert apart(found, computed(encoder)) > VISIBLE


def test_int8_by_rows_is_what_torchao_makes() -> None:
    quantization = pytest.importorskip("torchao.quantization", reason="the extra torchao is not installed")
    layer = torch.nn.Linear(48, 96)
    with torch.no_grad():
        layer.weight[3] = 0
        layer.weight[4] *= 1e-9
        layer.weight[5, 7] = 40
    expected = int8_rows(layer.weight)
    quantization.quantize_(layer, quantization.Int8WeightOnlyConfig())
    made: Any = layer.weight
    assert torch.equal(made.qdata * made.scale, expected)


@pytest.mark.parametrize("arithmetic", ["float16", "bfloat16"])
def test_half_arithmetic_is_that_of_a_model_loaded_in_it(
    arithmetic: Arithmetic, encoder: TorchEncoder, saved: Saved
) -> None:
    dtype = getattr(torch, arithmetic)
    loaded = hf.AutoModel.from_pretrained(saved(), dtype=dtype).eval()
    expected = mean_of(by_hand(saved(), model=loaded))
    made = Computed(encoder, PLAIN.but(arithmetic=arithmetic))
    assert made.reference_precision == arithmetic
    found = made.embed(TEXTS)
    rounding = torch.finfo(dtype).eps
    assert apart(found, expected) < 2 * rounding  # batches round otherwise than single texts
    assert rounding / 8 < apart(found, computed(encoder)) < 20 * rounding
    assert found.dtype == torch.float64


def test_one_text_in_half_arithmetic_is_that_model_to_float32(encoder: TorchEncoder, saved: Saved) -> None:
    loaded = hf.AutoModel.from_pretrained(saved(), dtype=torch.float16).eval()
    made = Computed(encoder, PLAIN.but(arithmetic="float16"))
    found = torch.cat([made.embed([text]) for text in TEXTS])
    torch.testing.assert_close(found, mean_of(by_hand(saved(), model=loaded)), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("own", ["mean", "cls"])
@pytest.mark.parametrize("pooling", POOLS)
def test_a_pooling_is_what_is_computed_by_hand(
    pooling: str, own: str, normalised: bool, saved: Saved, opened: Opened
) -> None:
    encoder = opened(pooling=own, normalised=normalised)
    expected = torch.stack([pooled(states, pooling) for states, _ in by_hand(saved())])
    expected = F.normalize(expected, dim=1) if normalised else expected
    torch.testing.assert_close(computed(encoder, PLAIN.but(pooling=pooling)), expected, **EXACT)
    if pooling == own:
        torch.testing.assert_close(computed(encoder), expected, **EXACT)


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("asked", [None, True, False])
def test_scaling_to_length_one(own: bool, asked: bool | None, saved: Saved, opened: Opened) -> None:
    encoder = opened(normalised=own)
    vectors = torch.stack([pooled(states, "mean") for states, _ in by_hand(saved())])
    is_scaled = own if asked is None else asked
    expected = vectors / vectors.norm(dim=1, keepdim=True) if is_scaled else vectors
    torch.testing.assert_close(computed(encoder, PLAIN.but(normalised=asked)), expected, **EXACT)


@pytest.mark.parametrize("normalised", [True, False])
def test_without_a_dense_layer_the_pooled_vector_is_left(normalised: bool, saved: Saved) -> None:
    folder = saved(dense=12, normalised=normalised)
    encoder = small_encoders.opened(folder)
    vectors = torch.stack([pooled(states, "mean") for states, _ in by_hand(folder)])
    tensors = {
        name: tensor.double() for name, tensor in load_file(folder / "2_Dense/model.safetensors").items()
    }
    dense = torch.tanh(vectors @ tensors["linear.weight"].T + tensors["linear.bias"])

    def scaled(rows: Tensor) -> Tensor:
        return F.normalize(rows, dim=1) if normalised else rows

    torch.testing.assert_close(computed(encoder), scaled(dense), **EXACT)
    bare = Computed(encoder, PLAIN.but(dense=False))
    torch.testing.assert_close(bare.embed(TEXTS), scaled(vectors), **EXACT)
    assert (Computed(encoder, PLAIN).width, bare.width, widest(encoder)) == (12, WIDTH, WIDTH)
    assert has_dense(encoder)


def test_an_encoder_without_a_dense_layer_loses_none(encoder: TorchEncoder) -> None:
    assert not has_dense(encoder)
    assert torch.equal(computed(encoder, PLAIN.but(dense=False)), computed(encoder))


@pytest.mark.parametrize("prompt", ["query: ", "passage: ", "Represent this sentence: ", " "])
def test_a_prompt_is_put_before_every_text(prompt: str, encoder: TorchEncoder) -> None:
    found = computed(encoder, PLAIN.but(prompt=prompt))
    torch.testing.assert_close(found, computed(encoder, texts=[prompt + text for text in TEXTS]), **EXACT)


PROMPTS = {"query": "the question is ", "document": "the answer: ", "none": ""}


@pytest.mark.parametrize("prompt", [None, "", "the answer: ", "query: "])
def test_a_prompt_takes_the_place_of_the_encoders_own(
    prompt: str | None, encoder: TorchEncoder, opened: Opened
) -> None:
    own = opened(prompts=PROMPTS, default_prompt="query")
    before = PROMPTS["query"] if prompt is None else prompt
    expected = computed(encoder, texts=[before + text for text in TEXTS])
    torch.testing.assert_close(computed(own, PLAIN.but(prompt=prompt)), expected, **EXACT)
    assert own_prompts(own) == ("the answer: ", "the question is ")
    assert own_prompts(encoder) == ()


@pytest.mark.parametrize("pooling", ["mean", "weightedmean", "max", "cls", ["mean", "max"]])
@pytest.mark.parametrize("prompt", [None, "", "the answer: ", "a much longer query than its own: "])
def test_an_encoder_that_leaves_its_prompt_out_leaves_out_another_one(
    prompt: str | None, pooling: str | list[str], saved: Saved, opened: Opened
) -> None:
    settings: dict[str, Any] = {"prompts": PROMPTS, "default_prompt": "query", "include_prompt": False}
    encoder = opened(pooling=pooling, normalised=False, **settings)
    before = PROMPTS["query"] if prompt is None else prompt
    tokenizer = small_encoders.tokenizer()
    left_out = len(tokenizer(before)["input_ids"]) - 1 if before else 0
    expected = []
    for states, _ in by_hand(saved(), prompt=before):
        count = torch.arange(1, len(states) + 1, dtype=torch.float64)[left_out:, None]
        kept = states[left_out:]
        ways = {
            "mean": kept.mean(0),
            "max": kept.max(0).values,
            "cls": kept[0],
            "weightedmean": (kept * count).sum(0) / count.sum(),
        }
        modes = [pooling] if isinstance(pooling, str) else pooling
        expected.append(torch.cat([ways[mode] for mode in modes]))
    torch.testing.assert_close(computed(encoder, PLAIN.but(prompt=prompt)), torch.stack(expected), **EXACT)


@pytest.mark.parametrize("prompt", [None, "", "the answer: "])
def test_a_pooling_that_is_asked_for_pools_the_prompt_too(
    prompt: str | None, saved: Saved, opened: Opened
) -> None:
    """As servers do that know poolings and no ``include_prompt``."""
    settings: dict[str, Any] = {"prompts": PROMPTS, "default_prompt": "query", "include_prompt": False}
    encoder = opened(**settings)
    before = PROMPTS["query"] if prompt is None else prompt
    expected = mean_of(by_hand(saved(), prompt=before))
    torch.testing.assert_close(computed(encoder, PLAIN.but(prompt=prompt, pooling="mean")), expected, **EXACT)


LENGTHS = [3, 8, OWN_LENGTH - 1, OWN_LENGTH, OWN_LENGTH + 1, 70, POSITIONS, 512, 8192]


@pytest.mark.parametrize("length", LENGTHS)
def test_texts_are_cut_where_the_tokenizer_cuts_them(
    length: int, encoder: TorchEncoder, saved: Saved
) -> None:
    cut = by_hand(saved(), length=min(length, POSITIONS))
    assert max(len(tokens) for _, tokens in cut) == min(length, POSITIONS)
    torch.testing.assert_close(computed(encoder, PLAIN.but(length=length)), mean_of(cut), **EXACT)
    if length != OWN_LENGTH:
        assert apart(computed(encoder, PLAIN.but(length=length)), computed(encoder)) > VISIBLE


def test_a_prompt_counts_towards_the_cut(encoder: TorchEncoder, saved: Saved) -> None:
    expected = mean_of(by_hand(saved(), length=20, prompt="query: "))
    torch.testing.assert_close(computed(encoder, PLAIN.but(length=20, prompt="query: ")), expected, **EXACT)


def test_a_cut_below_what_the_tokenizer_adds_is_refused(encoder: TorchEncoder) -> None:
    empty = computed(encoder, PLAIN.but(length=2))
    torch.testing.assert_close(empty, empty[:1].expand_as(empty), **EXACT)  # nothing is left of any text
    with pytest.raises(KeySampleError, match="1 are the most"):
        computed(encoder, PLAIN.but(length=1))


@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("dimensions", [1, 7, WIDTH - 1, WIDTH, WIDTH + 1, 10_000])
def test_dimensions_are_the_first_ones_scaled_to_length_one(
    dimensions: int, normalised: bool, opened: Opened
) -> None:
    encoder = opened(normalised=normalised)
    made = Computed(encoder, PLAIN.but(dimensions=dimensions))
    prefix = computed(encoder)[:, :dimensions]
    found = made.embed(TEXTS)
    torch.testing.assert_close(found, prefix / prefix.norm(dim=1, keepdim=True), **EXACT)
    assert found.shape == (len(TEXTS), made.width)
    assert made.width == min(dimensions, WIDTH)


@pytest.mark.parametrize("dimensions", [None, 8, 16, 40, WIDTH])
def test_dimensions_take_the_place_of_the_encoders_own_cut(
    dimensions: int | None, encoder: TorchEncoder, opened: Opened
) -> None:
    own = opened(truncated=16)
    expected = computed(encoder)[:, :16] if dimensions is None else computed(encoder)[:, :dimensions]
    expected = expected if dimensions is None else F.normalize(expected, dim=1)
    torch.testing.assert_close(computed(own, PLAIN.but(dimensions=dimensions)), expected, **EXACT)
    assert widest(own) == WIDTH


@pytest.mark.parametrize("precision", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_another_precision_or_batch_moves_it_by_rounding(
    precision: Any, batch_size: int, encoder: TorchEncoder
) -> None:
    recipe = PLAIN.but(gelu="tanh")
    found = Computed(encoder, recipe).embed(TEXTS, precision=precision, batch_size=batch_size)
    assert apart(found, computed(encoder, recipe)) < 20 * torch.finfo(getattr(torch, precision)).eps
    assert found.dtype == torch.float64


def test_fields_are_independent_of_each_other(saved: Saved, opened: Opened, tmp_path: Path) -> None:
    """All of them at once, against a folder in which all of them were changed."""
    folder = rounded_folder(
        saved(config={"hidden_act": "gelu_pytorch_tanh"}),
        tmp_path / "all",
        torch.float16,
        ("token_type_embeddings",),
        ndim=(2,),
    )
    expected = torch.stack(
        [pooled(states, "max") for states, _ in by_hand(folder, length=30, prompt="passage: ")]
    )
    recipe = Recipe(
        gelu="tanh",
        weights="gguf-f16",
        pooling="max",
        prompt="passage: ",
        length=30,
        dimensions=20,
        dense=False,
    )
    encoder = opened(dense=12)
    found = Computed(encoder, recipe).embed(TEXTS)
    torch.testing.assert_close(found, F.normalize(expected[:, :20], dim=1), **EXACT)


@pytest.mark.parametrize("fields", FIELDS, ids=str)
@pytest.mark.parametrize(("act", "normalised"), [("gelu", True), ("gelu_new", False)])
def test_a_simplified_recipe_gives_the_same_answers(
    act: str, normalised: bool, fields: dict[str, Any], opened: Opened
) -> None:
    encoder = opened(normalised=normalised, config={"hidden_act": act})
    recipe = PLAIN.but(**fields)
    left = simplified(encoder, recipe)
    texts = [TEXTS[0], TEXTS[-1]]
    assert torch.equal(computed(encoder, left, texts), computed(encoder, recipe, texts))
    assert simplified(encoder, left) == left
    own: dict[str, Any] = {"normalised": normalised, "length": OWN_LENGTH}
    own["gelu"] = {"gelu": "exact", "gelu_new": "tanh"}[act]
    assert simplified(encoder, PLAIN.but(**own)) == PLAIN
    assert torch.equal(computed(encoder, PLAIN.but(**own), texts), computed(encoder, PLAIN, texts))
    for field, value in fields.items():  # and nothing else is lost
        assert getattr(left, field) in (value, None)
        assert field in own or getattr(left, field) == value


def test_a_pooling_that_is_not_known_is_refused_in_one_line(encoder: TorchEncoder) -> None:
    with pytest.raises(UsageError) as caught:
        Computed(encoder, Recipe(pooling="magic\n\u202e"))
    assert str(caught.value).isprintable()
    assert all(pooling in str(caught.value) for pooling in POOLS)


@pytest.mark.parametrize("recipe", [PLAIN, *(PLAIN.but(**fields) for fields in FIELDS)], ids=str)
def test_an_encoder_of_images_is_refused_in_one_line(recipe: Recipe, images: TorchEncoder) -> None:
    with pytest.raises(UsageError) as caught:
        Computed(images, recipe)
    assert str(caught.value) == "'pictures' takes image, and recipes with prompts or lengths are of texts"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> TorchEncoder:
    folder = tiny_models.save("vit", tmp_path_factory.mktemp("vit"))
    opened = open_encoder(folder, name="pictures", device="cpu")
    assert isinstance(opened, TorchEncoder)
    return opened


def test_what_is_no_text_is_refused(encoder: TorchEncoder) -> None:
    with pytest.raises(KeySampleError, match="this encoder takes text"):
        Computed(encoder, PLAIN).embed([tiny_models.images(1)[0]])


@pytest.mark.parametrize("length", [10, 40, 200])
def test_tokens_are_counted_wherever_a_text_would_be_cut(length: int, encoder: TorchEncoder) -> None:
    (text,) = small_encoders.texts(1, fewest=length, most=length)
    assert tokens_of(encoder, [text, "the"]) == [length + 2, 3]
    assert own_length(encoder) == OWN_LENGTH


ARCHITECTURES = ["roberta", "distilbert", "mpnet", "modernbert", "nomic_bert", "qwen2"]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_recipes_fit_other_architectures(name: str, tmp_path: Path) -> None:
    """Weights by the names that each architecture has, whole folders as the library loads them."""
    folder = tiny_models.save(name, tmp_path / "own")
    encoder = open_encoder(folder, name=name, device="cpu")
    assert isinstance(encoder, TorchEncoder)
    before = digest(encoder)
    for weights, (dtype, keep, ndim) in ROUNDINGS.items():
        rounded = rounded_folder(folder, tmp_path / weights, dtype, keep, ndim=ndim)
        expected = open_encoder(rounded, name=name, device="cpu").at_precision("float64")
        recipe = PLAIN.but(weights=weights)
        if weights in ("float16", "bfloat16") and name in ("qwen2", "modernbert", "nomic_bert"):
            continue  # rotary frequencies are those of a load in half precision, as elsewhere in this package
        found = computed(encoder, recipe, tiny_models.TEXTS)
        torch.testing.assert_close(found, expected.embed(tiny_models.TEXTS), rtol=0, atol=1e-10)
    assert digest(encoder) == before


def test_a_module_in_memory_has_recipes_too(saved: Saved, opened: Opened) -> None:
    """As in tests of a user's own, where no folder is at hand."""
    model = hf.AutoModel.from_pretrained(saved()).eval()
    wrapped = wrap_module(model, hf.AutoTokenizer.from_pretrained(saved()))
    assert isinstance(wrapped, TorchEncoder)
    recipe = PLAIN.but(gelu="tanh", pooling="cls", normalised=True, length=OWN_LENGTH)
    expected = computed(opened(pooling="cls"), PLAIN.but(gelu="tanh"))
    torch.testing.assert_close(computed(wrapped, recipe), expected, **EXACT)
    assert not any(isinstance(module, nn.GELU) for module in model.modules())
