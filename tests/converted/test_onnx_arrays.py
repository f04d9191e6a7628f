"""Every array of an ONNX file is accounted for: changed by one step of its type, each is seen."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest

from hf_integration.base.errors import EncoderError
from hf_integration.converted.lookup import ROUNDINGS
from hf_integration.converted.onnx_graph import read_graph
from hf_integration.converted.weights import CONSTANT, Explained, explain
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from tests.converted import making
from tests.converted.conftest import save
from tests.serving import small_encoders

onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
pytest.importorskip("onnxruntime", reason="needs the extra onnx")

QUERY = "encoder.layer.0.attention.self.query.weight"


def of(encoder: TorchEncoder, file: Path) -> Explained:
    return explain(encoder, read_graph(file).tensors(), tail=False)


def names(file: Path, *, constants: bool) -> list[str]:
    """Names of arrays that hold weights, or of those that do not."""
    from onnx import numpy_helper

    weights = {
        name
        for name, tensor in making.arrays(onnx.load(file))
        if tensor.data_type in (1, 2, 3, 10) and numpy_helper.to_array(tensor).size > 16
    }
    return [name for name, _ in making.arrays(onnx.load(file)) if (name not in weights) == constants]


def test_every_array_of_an_unaltered_file_is_explained(encoder: TorchEncoder, onnx_file: Path) -> None:
    found = of(encoder, onnx_file)
    assert found.equal
    assert found.roundings == ("stored",)
    held = list(read_graph(onnx_file).tensors())
    assert sum(found.ways.values()) == len(held) > len(list(making.arrays(onnx.load(onnx_file))))
    assert sum(found.ways.values()) - found.ways[CONSTANT] == len(names(onnx_file, constants=False))


def test_every_weight_that_is_moved_by_one_step_is_named(
    encoder: TorchEncoder, onnx_file: Path, tmp_path: Path
) -> None:
    weights = names(onnx_file, constants=False)
    assert len(weights) > 20
    for name in weights:
        found = of(encoder, making.edited(onnx_file, tmp_path / "edited.onnx", name, making.one_step))
        assert [line.split()[0] for line in found.changed] == [name], name


def test_every_array_of_a_quantised_file_that_is_moved_by_one_step_is_named(
    encoder: TorchEncoder, onnx_file: Path, tmp_path: Path
) -> None:
    file = making.quantised(onnx_file, tmp_path / "int8.onnx", per_channel=True)
    assert of(encoder, file).equal
    arrays = [
        name for name, _ in making.arrays(onnx.load(file)) if name not in names(onnx_file, constants=True)
    ]
    for name in arrays:
        found = of(encoder, making.edited(file, tmp_path / "edited.onnx", name, making.one_step))
        stem = name.removesuffix("_scale").removesuffix("_zero_point").removesuffix("_quantized")
        assert len(found.changed) == 1, name
        assert found.changed[0].startswith(stem), name


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("reduce_range", [False, True])
@pytest.mark.parametrize("kind", ["QInt8", "QUInt8"])
def test_integers_of_every_rule_are_made_again(
    encoder: TorchEncoder, onnx_file: Path, tmp_path: Path, per_channel: bool, reduce_range: bool, kind: str
) -> None:
    from onnxruntime.quantization import QuantType

    settings = {"per_channel": per_channel, "reduce_range": reduce_range, "weight_type": QuantType[kind]}
    found = of(encoder, making.quantised(onnx_file, tmp_path / "made.onnx", **settings))
    assert found.equal
    assert any("reduced range" in name for name in found.roundings) == reduce_range
    assert any("each channel" in name for name in found.roundings) == per_channel
    assert any(name.startswith(kind[1:].lower()) for name in found.roundings)


def test_integers_of_an_unknown_rule_are_not_compared(
    encoder: TorchEncoder, onnx_file: Path, tmp_path: Path
) -> None:
    """Nobody here can make them again; what is not compared is never called equal."""
    file = making.quantised(onnx_file, tmp_path / "int8.onnx")
    model = onnx.load(file)
    for name, tensor in making.arrays(model):
        if name.endswith("_scale") and name.removesuffix("_scale") + "_quantized" in dict(
            making.arrays(model)
        ):
            array = onnx.numpy_helper.to_array(tensor) * np.float32(1.0001)
            tensor.CopyFrom(onnx.numpy_helper.from_array(array.astype(np.float32), name))
    onnx.save(model, tmp_path / "scaled.onnx")
    found = of(encoder, tmp_path / "scaled.onnx")
    assert not found.equal
    assert found.not_compared
    assert not found.changed


@pytest.mark.parametrize("rounding", [name for name in ROUNDINGS if name != "stored"])
def test_weights_that_are_rounded_are_said_to_be(
    encoder: TorchEncoder, onnx_file: Path, tmp_path: Path, rounding: str
) -> None:
    model = onnx.load(onnx_file)
    weights = set(names(onnx_file, constants=False))
    for name, tensor in making.arrays(model):
        if name in weights:
            rounded = ROUNDINGS[rounding](onnx.numpy_helper.to_array(tensor))
            kind = np.float16 if rounding.startswith("float16") else np.float32
            tensor.CopyFrom(onnx.numpy_helper.from_array(rounded.astype(kind), name))
    onnx.save(model, tmp_path / "half.onnx")
    found = of(encoder, tmp_path / "half.onnx")
    assert found.equal
    assert found.roundings == (("float16",) if rounding.startswith("float16") else (rounding,))


def test_a_file_of_another_encoder_has_no_weight_of_this(encoder: TorchEncoder, tmp_path: Path) -> None:
    other = small_encoders.opened(save(tmp_path / "other", seed=5))
    folder = making.onnx_folder(other, tmp_path / "folder")
    found = of(encoder, folder / "onnx" / "model.onnx")
    assert len(found.changed) == found.tensors


Edit = Callable[[Any], None]


def _transpose(graph: Any) -> None:
    from onnx import numpy_helper

    for tensor in graph.initializer:
        if len(tensor.dims) == 2 and tensor.dims[0] != tensor.dims[1]:
            array = np.ascontiguousarray(numpy_helper.to_array(tensor).T)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def _rename(graph: Any) -> None:
    for place, tensor in enumerate(graph.initializer):
        tensor.name = f"anything_{place}"


def _put_together(graph: Any) -> None:
    from onnx import numpy_helper

    square = [tensor for tensor in graph.initializer if list(tensor.dims) == [64, 64]][:3]
    joined = np.concatenate([numpy_helper.to_array(tensor) for tensor in square], axis=1)
    for tensor in square:
        graph.initializer.remove(tensor)
    graph.initializer.append(numpy_helper.from_array(joined, "joined"))


def _widen(graph: Any) -> None:
    from onnx import numpy_helper

    for tensor in graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32 and array.ndim == 1:
            tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float64)[None, None], tensor.name))


@pytest.mark.parametrize("edit", [_transpose, _rename, _put_together, _widen])
def test_weights_in_another_arrangement_are_the_same(
    encoder: TorchEncoder, onnx_file: Path, tmp_path: Path, edit: Edit
) -> None:
    model = onnx.load(onnx_file)
    edit(model.graph)
    onnx.save(model, tmp_path / "arranged.onnx")
    assert of(encoder, tmp_path / "arranged.onnx").equal


def _added(graph: Any) -> None:
    array = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    graph.initializer.append(onnx.numpy_helper.from_array(array, "backdoor"))


def _added_in_a_node(graph: Any) -> None:
    numbers = [float(number) for number in np.random.default_rng(0).normal(size=40)]
    graph.node.append(onnx.helper.make_node("Constant", [], ["hidden"], value_floats=numbers))


def _added_in_a_subgraph(graph: Any) -> None:
    array = np.random.default_rng(0).normal(size=40).astype(np.float32)
    tensor = onnx.numpy_helper.from_array(array, "deep")
    inner = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["deep"], ["out"])],
        "inner",
        [],
        [onnx.helper.make_tensor_value_info("out", 1, None)],
        [tensor],
    )
    graph.node.append(
        onnx.helper.make_node("If", ["condition"], ["chosen"], then_branch=inner, else_branch=inner)
    )


def _added_sparsely(graph: Any) -> None:
    array = np.random.default_rng(0).normal(size=40).astype(np.float32)
    values = onnx.numpy_helper.from_array(array, "sparse")
    places = onnx.numpy_helper.from_array(np.arange(0, 4000, 100), "places")
    graph.sparse_initializer.append(onnx.helper.make_sparse_tensor(values, places, [4096]))


def _added_in_pieces(graph: Any) -> None:
    """Each piece is as small as a constant."""
    numbers = np.random.default_rng(0).normal(size=80).astype(np.float32)
    for place in range(0, 80, 8):
        graph.initializer.append(onnx.numpy_helper.from_array(numbers[place : place + 8], f"piece_{place}"))


def _added_one_by_one(graph: Any) -> None:
    for place, number in enumerate(np.random.default_rng(0).normal(size=80)):
        graph.node.append(onnx.helper.make_node("Constant", [], [f"one_{place}"], value_float=float(number)))


def _added_as_whole_numbers(graph: Any) -> None:
    numbers = np.random.default_rng(0).integers(-(2**40), 2**40, size=400)
    for place in range(0, 400, 40):
        graph.initializer.append(onnx.numpy_helper.from_array(numbers[place : place + 40], f"piece_{place}"))


def _added_in_bytes(graph: Any) -> None:
    """In pieces as small as a constant, of so few different numbers that all of them may be one."""
    numbers = np.random.default_rng(0).integers(-128, 128, size=20_000).astype(np.int8)
    for place in range(0, 20_000, 50):
        graph.initializer.append(onnx.numpy_helper.from_array(numbers[place : place + 50], f"piece_{place}"))


def _added_by_places(graph: Any) -> None:
    """Places in a list of a few numbers, from which weights are put together."""
    numbers = np.random.default_rng(0).integers(0, 16, size=20_000)
    for place in range(0, 20_000, 50):
        graph.initializer.append(onnx.numpy_helper.from_array(numbers[place : place + 50], f"piece_{place}"))


def _added_as_letters(graph: Any) -> None:
    numbers = [str(number).encode() for number in np.random.default_rng(0).normal(size=40)]
    graph.node.append(onnx.helper.make_node("Constant", [], ["hidden"], value_strings=numbers))
    graph.node.append(onnx.helper.make_node("Cast", ["hidden"], ["numbers"], to=1))


def _added_as_one_string(graph: Any) -> None:
    said = " ".join(str(number) for number in np.random.default_rng(0).normal(size=40))
    graph.node.append(onnx.helper.make_node("Constant", [], ["hidden"], value_string=said.encode()))


def _added_as_slopes(graph: Any) -> None:
    for place, number in enumerate(np.random.default_rng(0).normal(size=80)):
        graph.node.append(onnx.helper.make_node("LeakyRelu", ["x"], [f"y_{place}"], alpha=float(number)))


def _added_in_short_lists(graph: Any) -> None:
    for place in range(20):
        numbers = [float(number) for number in np.random.default_rng(place).normal(size=15)]
        node = onnx.helper.make_node(
            "LinearRegressor", ["x"], [f"y_{place}"], domain="ai.onnx.ml", coefficients=numbers
        )
        graph.node.append(node)


def _added_in_a_small_type(kind: int) -> Edit:
    """All numbers are below 1, which as whole numbers are 0."""

    def edit(graph: Any) -> None:
        graph.initializer.append(
            onnx.helper.make_tensor("small", kind, [64, 64], np.linspace(-0.9, 0.9, 4096).tolist())
        )

    edit.__name__ = f"_added_as_{onnx.TensorProto.DataType.Name(kind).lower()}"
    return edit


SMALL_TYPES = [
    kind
    for name, kind in onnx.TensorProto.DataType.items()
    if name in ("FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ", "FLOAT4E2M1")
]

ADDED = [
    _added,
    _added_in_a_node,
    _added_in_a_subgraph,
    _added_sparsely,
    _added_in_pieces,
    _added_one_by_one,
    _added_as_whole_numbers,
    _added_in_bytes,
    _added_by_places,
    _added_as_letters,
    _added_as_one_string,
    _added_as_slopes,
    _added_in_short_lists,
    *(_added_in_a_small_type(kind) for kind in SMALL_TYPES),
]


def test_numbers_that_a_function_takes_by_default_are_named(
    encoder: TorchEncoder, onnx_file: Path, tmp_path: Path
) -> None:
    model = onnx.load(onnx_file)
    node = onnx.helper.make_node("Constant", [], ["y"])
    node.attribute.add(name="value", ref_attr_name="weights", type=onnx.AttributeProto.TENSOR)
    function = onnx.helper.make_function(
        "ours", "F", ["x"], ["y"], [node], [onnx.helper.make_opsetid("", 17)]
    )
    array = np.random.default_rng(0).normal(size=40).astype(np.float32)
    function.attribute_proto.append(
        onnx.helper.make_attribute("weights", onnx.numpy_helper.from_array(array, "weights"))
    )
    model.functions.append(function)
    onnx.save(model, tmp_path / "more.onnx")
    assert [line.split()[:2] for line in of(encoder, tmp_path / "more.onnx").unexplained] == [
        ["F:", "weights"]
    ]


def test_what_onnx_runtime_would_read_as_another_format_is_refused(onnx_file: Path, tmp_path: Path) -> None:
    """A file can be read in both, and hold honest weights only in the one that is compared."""
    start = (
        bytes([0x08, 0x08, 0x8A, 0x01]) + b"ORTM"
    )  # two fields of Protocol Buffers, the second of 79 bytes
    (tmp_path / "both.onnx").write_bytes(start.ljust(5 + ord("O"), b"x") + onnx_file.read_bytes())
    assert onnx.load(tmp_path / "both.onnx").graph.node
    with pytest.raises(EncoderError, match="in ONNX Runtime's own format"):
        read_graph(tmp_path / "both.onnx")


@pytest.mark.parametrize("edit", ADDED)
def test_an_array_that_is_no_weight_is_named_wherever_it_is(
    encoder: TorchEncoder, onnx_file: Path, tmp_path: Path, edit: Edit
) -> None:
    model = onnx.load(onnx_file)
    edit(model.graph)
    onnx.save(model, tmp_path / "more.onnx")
    found = of(encoder, tmp_path / "more.onnx")
    assert not found.equal
    assert found.unexplained


def test_a_weight_that_is_not_there_is_missing(
    encoder: TorchEncoder, onnx_file: Path, tmp_path: Path
) -> None:
    model = onnx.load(onnx_file)
    for tensor in list(model.graph.initializer):
        if tensor.name.endswith("LayerNorm.bias"):
            model.graph.initializer.remove(tensor)
    onnx.save(model, tmp_path / "less.onnx")
    found = of(encoder, tmp_path / "less.onnx")
    assert not found.equal
    assert len(found.missing) == 3


def test_numbers_in_a_file_beside_the_model_are_read(
    encoder: TorchEncoder, onnx_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    copytree(onnx_folder, folder)
    file = folder / "onnx" / "model.onnx"
    onnx.save(onnx.load(file), file, save_as_external_data=True, location="model.onnx_data", size_threshold=0)
    graph = read_graph(file)
    assert [path.name for path in graph.external] == ["model.onnx_data"]
    assert of(encoder, file).equal
    data = bytearray((folder / "onnx" / "model.onnx_data").read_bytes())
    data[1000] ^= 1
    (folder / "onnx" / "model.onnx_data").write_bytes(data)
    assert of(encoder, file).changed
