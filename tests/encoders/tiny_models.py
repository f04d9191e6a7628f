"""Tiny, randomly initialised encoders with real processors, saved to a folder as their users would."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as hf
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from hf_integration.key_samples.samples import Waveform

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEXTS = [
    "the cat sits on a mat",
    "markets fell",
    "a quick brown fox jumps over the lazy dog and the sea",
    "sea",
]
WORDS = sorted({word for text in TEXTS for word in text.split()})

_SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 37}
_TEXT = {**_SMALL, "vocab_size": 40, "max_position_embeddings": 40, "pad_token_id": 0}
_VISION = {**_SMALL, "image_size": 32, "patch_size": 8}
_WAVE = {
    **_SMALL,
    "conv_dim": (16, 16),
    "conv_kernel": (10, 3),
    "conv_stride": (5, 2),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "num_feat_extract_layers": 2,
}


def tokenizer(**options: Any) -> Any:
    """A WordPiece tokenizer over a few words, with class and separator tokens."""
    vocab = {piece: index for index, piece in enumerate([*SPECIAL, *WORDS, *["##s", "##e", "##a", "s", "e"]])}
    backend = Tokenizer(models.WordPiece(vocab, unk_token=SPECIAL[1]))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    special = {f"{name}_token": token for name, token in names.items()}
    settings = {"model_max_length": 40, **special, **options}
    return hf.PreTrainedTokenizerFast(tokenizer_object=backend, **settings)


def image_processor() -> Any:
    """Resizes to 32 pixels on PIL."""
    return hf.ViTImageProcessorPil(size={"height": 32, "width": 32})


def clip_config() -> Any:
    text = {**_TEXT, "projection_dim": 16, "eos_token_id": 3, "bos_token_id": 2}
    return hf.CLIPConfig(text_config=text, vision_config={**_VISION, "projection_dim": 16}, projection_dim=16)


def siglip_config() -> Any:
    return hf.SiglipConfig(text_config={**_TEXT, "projection_size": 32}, vision_config=_VISION)


def whisper_config() -> Any:
    return hf.WhisperConfig(
        d_model=32,
        encoder_layers=2,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=37,
        decoder_ffn_dim=37,
        vocab_size=40,
        num_mel_bins=8,
        max_source_positions=100,
        pad_token_id=0,
        bos_token_id=0,
        eos_token_id=0,
        decoder_start_token_id=0,
    )


def _staged(kind: Any, **options: Any) -> Callable[[], Any]:
    return lambda: kind(hidden_sizes=[16, 32], depths=[1, 1], num_stages=2, **options)


_ROBERTA = {**_TEXT, "pad_token_id": 0, "type_vocab_size": 1}
_CAUSAL = {**_TEXT, "num_key_value_heads": 1, "head_dim": 16}
_SWIN = {"image_size": 32, "patch_size": 4, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 2]}

# name -> configuration, model class, processor
CONFIGS: dict[str, tuple[Callable[[], Any], str]] = {
    "bert": (lambda: hf.BertConfig(**_TEXT), "BertModel"),
    "roberta": (lambda: hf.RobertaConfig(**_ROBERTA), "RobertaModel"),
    "distilbert": (
        lambda: hf.DistilBertConfig(
            vocab_size=40, max_position_embeddings=40, dim=32, n_layers=2, n_heads=2, hidden_dim=37
        ),
        "DistilBertModel",
    ),
    "mpnet": (lambda: hf.MPNetConfig(**_TEXT), "MPNetModel"),
    "modernbert": (
        lambda: hf.ModernBertConfig(**_TEXT, global_attn_every_n_layers=2, local_attention=8),
        "ModernBertModel",
    ),
    "clip": (clip_config, "CLIPModel"),
    "siglip": (siglip_config, "SiglipModel"),
    "vit": (lambda: hf.ViTConfig(**_VISION), "ViTModel"),
    "dinov2": (lambda: hf.Dinov2Config(**_VISION), "Dinov2Model"),
    "dinov2_with_registers": (lambda: hf.Dinov2WithRegistersConfig(**_VISION), "Dinov2WithRegistersModel"),
    "resnet": (_staged(hf.ResNetConfig, embedding_size=16, layer_type="basic"), "ResNetModel"),
    "convnext": (_staged(hf.ConvNextConfig), "ConvNextModel"),
    "swin": (lambda: hf.SwinConfig(**_SWIN, window_size=4), "SwinModel"),
    "wav2vec2": (lambda: hf.Wav2Vec2Config(**_WAVE), "Wav2Vec2Model"),
    "wav2vec2_layer_norm": (
        lambda: hf.Wav2Vec2Config(
            **_WAVE, feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True
        ),
        "Wav2Vec2Model",
    ),
    "hubert": (lambda: hf.HubertConfig(**_WAVE), "HubertModel"),
    "wavlm": (lambda: hf.WavLMConfig(**_WAVE, feat_extract_norm="layer"), "WavLMModel"),
    "whisper": (whisper_config, "WhisperForConditionalGeneration"),
    # with buffers that no file holds
    "gemma": (lambda: hf.GemmaConfig(**_CAUSAL), "GemmaModel"),
    "gemma2": (lambda: hf.Gemma2Config(**_CAUSAL), "Gemma2Model"),
    "gemma3": (lambda: hf.Gemma3TextConfig(**_CAUSAL), "Gemma3TextModel"),
    "qwen2": (lambda: hf.Qwen2Config(**_CAUSAL, max_window_layers=2), "Qwen2Model"),
    "qwen3": (lambda: hf.Qwen3Config(**_CAUSAL, max_window_layers=2), "Qwen3Model"),
    "nomic_bert": (lambda: hf.NomicBertConfig(**_TEXT), "NomicBertModel"),
    "roformer": (lambda: hf.RoFormerConfig(**_TEXT, embedding_size=32), "RoFormerModel"),
    "swinv2": (lambda: hf.Swinv2Config(**_SWIN, window_size=4), "Swinv2Model"),
}
# name -> the same for architectures whose padding leaks into real tokens
LEAKING: dict[str, tuple[Callable[[], Any], str]] = {
    "mobilebert": (
        lambda: hf.MobileBertConfig(
            **_TEXT, embedding_size=16, intra_bottleneck_size=16, num_feedforward_networks=1
        ),
        "MobileBertModel",
    ),
    "convbert": (lambda: hf.ConvBertConfig(**_TEXT, embedding_size=32, head_ratio=1), "ConvBertModel"),
    "nystromformer": (lambda: hf.NystromformerConfig(**_TEXT), "NystromformerModel"),
    "funnel": (
        lambda: hf.FunnelConfig(
            vocab_size=40,
            block_sizes=[1, 1],
            d_model=32,
            n_head=2,
            d_head=16,
            d_inner=37,
            num_decoder_layers=1,
        ),
        "FunnelModel",
    ),
    "fnet": (lambda: hf.FNetConfig(**_TEXT), "FNetModel"),
}
CONFIGS |= {"dpr": (lambda: hf.DPRConfig(**_TEXT), "DPRQuestionEncoder"), **LEAKING}
TEXT = ("bert", "roberta", "distilbert", "mpnet", "modernbert")
COMPUTED = ("gemma", "gemma2", "gemma3", "qwen2", "qwen3", "nomic_bert", "roformer")  # texts
VISION = ("vit", "dinov2", "dinov2_with_registers", "resnet", "convnext", "swin", "swinv2")
AUDIO = ("wav2vec2", "wav2vec2_layer_norm", "hubert", "wavlm", "whisper")


def build(name: str, *, seed: int = 0) -> Any:
    """The model alone, every tensor random, batch statistics too."""
    config, kind = CONFIGS[name]
    torch.manual_seed(seed)
    model = getattr(hf, kind)(config()).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)  # zeros and ones would hide an unused tensor
        for path, buffer in model.named_buffers():
            if path.endswith("running_mean"):
                buffer.add_(torch.randn_like(buffer) * 0.05)
            if path.endswith("running_var"):
                buffer.add_(torch.rand_like(buffer))
    return model


def feature_extractor(name: str) -> Any:
    """The audio feature extractor that fits."""
    if name == "whisper":
        return hf.WhisperFeatureExtractor(feature_size=8, chunk_length=2)
    masks = name in ("wav2vec2_layer_norm", "wavlm")
    return hf.Wav2Vec2FeatureExtractor(return_attention_mask=masks)


def save(name: str, folder: Path, *, seed: int = 0) -> Path:
    """Model and processors in one folder."""
    build(name, seed=seed).save_pretrained(folder)
    if name in (*TEXT, *COMPUTED, "clip", "siglip", "dpr", *LEAKING):
        inputs = ["input_ids"] if name == "siglip" else ["input_ids", "attention_mask"]
        tokenizer(model_input_names=inputs).save_pretrained(folder)
    if name in (*VISION, "clip", "siglip"):
        image_processor().save_pretrained(folder)
    if name in AUDIO:
        feature_extractor(name).save_pretrained(folder)
    return folder


def images(count: int = 4) -> list[Any]:
    """Random RGB images of several sizes."""
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (32 + 8 * (i % 2), 40, 3), dtype=np.uint8) for i in range(count)]


def waves(count: int = 4) -> list[Waveform]:
    """Random recordings of two lengths."""
    generator = np.random.default_rng(0)
    lengths = [1600 + 800 * (index % 2) for index in range(count)]
    return [Waveform(generator.integers(-9000, 9000, n).astype(np.int16), 16_000) for n in lengths]


def samples(modality: str) -> list[Any]:
    """Raw samples of one modality."""
    return {"text": TEXTS, "image": images(), "audio": waves()}[modality]
