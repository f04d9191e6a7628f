"""Settings of the module of sentence-transformers that holds a transformers model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from hf_integration.base.errors import EncoderError
from hf_integration.base.vocabulary import MODALITIES, Modality
from hf_integration.encoders.files.json_values import read_json
from hf_integration.encoders.modalities.module_settings import SCORES, SENTENCE, TOKENS, fixed, only

_FILES = tuple(
    f"sentence_{name}_config.json"
    for name in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
# What the library takes for granted where nothing is said: task -> output of the model, what it becomes.
_TASKS: Mapping[str, tuple[str, str]] = {
    "feature-extraction": ("last_hidden_state", TOKENS),
    "sequence-classification": ("logits", SCORES),
    "fill-mask": ("logits", TOKENS),
}
_OTHER_TASKS: Mapping[str, str] = {
    "text-generation": "the score is made of the next token of a causal model",
    "any-to-any": "the score is made of the next token of a causal model",
    "retrieval": "every token has an embedding of its own, which no card describes",
}
_FIXED: Mapping[str, tuple[Any, ...]] = {
    "unpad_inputs": (None, False, True),  # how a GPU kernel packs the batch, not what is computed
}
_OF_TASKS: Mapping[str, tuple[Any, ...]] = dict.fromkeys(
    ("query_length", "document_length", "query_expansion"), (None,)
)
"""What multi-vector encoders do to texts whose task is named, and other encoders do not have."""
# Arguments of transformers' loaders, under the keys of versions 2 to 5 and of version 6: those that change no
# number. ``None`` stands for any value.
_KERNEL = {"attn_implementation": None, "use_safetensors": None, "low_cpu_mem_usage": None}
_WIDER = {"dtype": ("auto", None, "float32", "float64"), "torch_dtype": ("auto", None, "float32", "float64")}
_CODE = {"trust_remote_code": None}  # the library itself leaves it out
_ARGUMENTS: Mapping[str, tuple[str, Mapping[str, tuple[Any, ...] | None]]] = {
    "model_kwargs": ("model_args", {**_CODE, **_KERNEL, **_WIDER}),
    "config_kwargs": (
        "config_args",
        {**_CODE, "attn_implementation": None, "output_hidden_states": (True, False)},
    ),
    "processor_kwargs": (
        "tokenizer_args",
        {**_CODE, "use_fast": (True,), "clean_up_tokenization_spaces": None},
    ),
}
_PROCESSING = {"padding": (True, "longest"), "truncation": (True, "longest_first")}


@dataclass(frozen=True)
class TransformerSettings:
    """What a module does with its model.

    Attributes:
        task: which class of transformers loads the model.
        methods: modality -> the method of the model that is called, and the output that is taken.
        gives: what that output becomes.
        others: combinations of modalities that it takes as well, and that are not run here.
        max_seq_length: longest text in tokens, or ``None`` for the tokenizer's own.
        do_lower_case: whether texts are lower-cased before anything else.
        hands_on_layers: whether later modules see the hidden states of every layer.
        of_tasks: what is done to texts whose task is named.
    """

    task: str = "feature-extraction"
    methods: Mapping[Modality, tuple[str, str]] | None = None
    gives: str = TOKENS
    others: tuple[str, ...] = ()
    max_seq_length: int | None = None
    do_lower_case: bool = False
    hands_on_layers: bool = False
    of_tasks: Mapping[str, Any] = field(default_factory=dict)

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """What it takes."""
        return tuple(self.methods or {})


def read_transformer(
    transformer: Path, *, task: str = "feature-extraction", towers: bool = False, tasks: bool = False
) -> TransformerSettings:
    """Read the settings of the module in a folder.

    Args:
        transformer: its folder, which is that of the model.
        task: the task where the file names none.
        towers: whether the module is the ``CLIPModel`` of older versions, which takes texts and images.
        tasks: whether texts whose task is named may have settings of their own.

    Raises:
        EncoderError: an unknown key, or a value that makes another encoder of it.
    """
    path = next(
        (transformer / name for name in _FILES if (transformer / name).is_file()), transformer / _FILES[0]
    )
    config = read_json(path, dict) if path.is_file() else {}
    names = {name for new, (old, _) in _ARGUMENTS.items() for name in (new, old)}
    own = {"max_seq_length", "do_lower_case", "transformer_task", "modality_config", "module_output_name"}
    only(path, config, {*own, *_FIXED, *_OF_TASKS, *names, "processing_kwargs"})
    fixed(path, config, _FIXED if tasks else {**_FIXED, **_OF_TASKS})
    task = config.get("transformer_task", task)
    if not isinstance(task, str) or task not in _TASKS:
        why = _OTHER_TASKS.get(str(task), "it is not known here")
        raise EncoderError(
            f"{path}: transformer_task {task!r} is not supported: {why}",
            remedy=f"supported: {', '.join(_TASKS)}",
        )
    output, gives = _TASKS[task]
    methods: dict[str, tuple[str, str]] = {"text": ("forward", output)}
    others: tuple[str, ...] = ()
    if towers:
        methods, gives = (
            {kind: (f"get_{kind}_features", "pooler_output") for kind in ("text", "image")},
            SENTENCE,
        )
    if "modality_config" in config:
        methods, others = _methods(path, config["modality_config"])
        own_methods = any(method != "forward" for method, _ in methods.values())
        gives = config.get("module_output_name", SENTENCE if own_methods else gives)
    if gives not in (TOKENS, SENTENCE, SCORES):
        raise EncoderError(f"{path}: module_output_name {gives!r} is not supported")
    given = {new: _arguments(path, config, new, old, allowed) for new, (old, allowed) in _ARGUMENTS.items()}
    length = _processing(path, config.get("processing_kwargs") or {})
    for stated in (given["processor_kwargs"].get("model_max_length"), config.get("max_seq_length"), length):
        if stated is not None and (type(stated) is not int or stated < 1):
            raise EncoderError(f"{path}: max_seq_length {stated!r} is no length")
    if length is None:  # what a call is given comes before what the tokenizer says
        length = given["processor_kwargs"].get("model_max_length", config.get("max_seq_length"))
    model = transformer / "config.json"
    handed = given["config_kwargs"].get("output_hidden_states")
    if handed is None and model.is_file():
        handed = read_json(model, dict).get("output_hidden_states", False)
    return TransformerSettings(
        task,
        methods,  # type: ignore[arg-type]  # the keys were looked at
        gives,
        others,
        length,
        bool(config.get("do_lower_case", False)),
        handed is True,
        {key: config[key] for key in _OF_TASKS if config.get(key) is not None},
    )


def _methods(path: Path, config: Any) -> tuple[dict[str, tuple[str, str]], tuple[str, ...]]:
    """Method and output of every modality, and the combinations of several."""
    if not isinstance(config, Mapping) or not config:
        raise EncoderError(f"{path}: modality_config is no object of modalities")
    if "message" in config:
        raise EncoderError(
            f"{path}: modality_config has 'message': texts pass a chat template, which is not run here",
            remedy=f"supported: {', '.join(MODALITIES)}",
        )
    methods: dict[str, tuple[str, str]] = {}
    for kind, settings in config.items():
        if kind not in get_args(Modality):
            if any(part not in (*MODALITIES, "video") for part in str(kind).split("+")):
                raise EncoderError(f"{path}: modality_config: unknown modality {kind!r}")
            continue
        if not isinstance(settings, Mapping):
            raise EncoderError(f"{path}: modality_config: {kind} is no object")
        only(path, settings, {"method", "method_output_name"})
        method, output = settings.get("method"), settings.get("method_output_name")
        if (method, output) not in _OUTPUTS and (method, output) != (f"get_{kind}_features", "pooler_output"):
            raise EncoderError(
                f"{path}: modality_config: {kind} by {method!r} and {output!r} is not supported"
            )
        methods[kind] = (str(method), str(output))
    return methods, tuple(str(kind) for kind in config if kind not in methods)


_OUTPUTS = tuple(("forward", output) for output, _ in _TASKS.values())


def _arguments(
    path: Path, config: Mapping[str, Any], new: str, old: str, allowed: Mapping[str, tuple[Any, ...] | None]
) -> Mapping[str, Any]:
    given: dict[str, Any] = {}
    for name in (new, old):
        found = config.get(name) or {}
        if not isinstance(found, Mapping):
            raise EncoderError(f"{path}: {name} is no object")
        for key, value in found.items():
            values = (
                (value,) if new == "processor_kwargs" and key == "model_max_length" else allowed.get(key, ())
            )
            if values is not None and value not in values:
                raise EncoderError(
                    f"{path}: {name}: {key} {value!r} is not supported",
                    remedy="save the encoder again with what it is loaded with, and without this argument",
                )
        given |= found
    return given


def _processing(path: Path, kwargs: Any) -> Any:
    """The longest text that a call is given, if it is given any; nothing else may differ from the usual."""
    where = f"{path}: processing_kwargs"
    if (
        not isinstance(kwargs, Mapping)
        or set(kwargs) - {"text"}
        or not isinstance(kwargs.get("text", {}), Mapping)
    ):
        raise EncoderError(f"{where} {kwargs!r} is not supported", remedy="supported: 'text'")
    text = kwargs.get("text", {})
    for key, value in text.items():
        if key != "max_length" and value not in _PROCESSING.get(key, ()):
            raise EncoderError(f"{where}: text: {key} {value!r} is not supported")
    return text.get("max_length")
