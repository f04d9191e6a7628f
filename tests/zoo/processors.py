"""Processors of tiny encoders, of the kinds that their publishers' folders hold."""

from collections.abc import Callable
from typing import Any

import transformers as hf
from tokenizers.pre_tokenizers import ByteLevel

from tests.encoders import tiny_models

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def wordpiece() -> Any:
    """BERT's, with texts up to 40 tokens."""
    return tiny_models.tokenizer(model_input_names=["input_ids", "token_type_ids", "attention_mask"])


def maskless() -> Any:
    """One that gives nothing but tokens, as SigLIP's."""
    return tiny_models.tokenizer(model_input_names=["input_ids"])


def byte_level() -> Any:
    """A byte each, as in Qwen's: every text gives tokens."""
    pieces = ["<|endoftext|>", *sorted(ByteLevel.alphabet())]
    return hf.Qwen2Tokenizer(vocab=_numbered(pieces), merges=[], model_max_length=48)


def unigram() -> Any:
    """XLM-R's."""
    return hf.XLMRobertaTokenizer(vocab=_scored("<s>", "<pad>", "</s>", "<unk>"), model_max_length=40)


def t5() -> Any:
    """T5's: no class token, an end token."""
    return hf.T5Tokenizer(vocab=_scored("<pad>", "</s>", "<unk>"), extra_ids=0, model_max_length=40)


def roberta() -> Any:
    """RoBERTa's bytes."""
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *sorted(ByteLevel.alphabet())]
    return hf.RobertaTokenizer(vocab=_numbered(pieces), merges=[], model_max_length=40)


def gemma() -> Any:
    """Gemma's pieces."""
    pieces = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", *_LETTERS]
    return hf.GemmaTokenizer(vocab=_numbered(pieces), merges=[], model_max_length=40)


def protein() -> Any:
    """ESM's amino acids, of which a text is a row."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "vocab.txt")
        file.write_text(
            "\n".join(["<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<mask>"])
        )
        return hf.EsmTokenizer(str(file), model_max_length=40)


def canine() -> Any:
    """CANINE's code points."""
    return hf.CanineTokenizer(model_max_length=48)


def images(side: int) -> Callable[[], Any]:
    """ViT's, that resizes to a square."""
    return lambda: hf.ViTImageProcessorPil(size={"height": side, "width": side})


def naflex() -> Any:
    """SigLIP2's: patches of an image in its own proportions, with a mask."""
    return hf.Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16)


def waves() -> Any:
    """wav2vec 2.0's, with a mask."""
    return hf.Wav2Vec2FeatureExtractor(return_attention_mask=True)


def group_waves() -> Any:
    """That of wav2vec 2.0 with group norm, without a mask."""
    return hf.Wav2Vec2FeatureExtractor(return_attention_mask=False)


def whisper() -> Any:
    """Whisper's, of two seconds."""
    return hf.WhisperFeatureExtractor(feature_size=16, chunk_length=2)


def ast() -> Any:
    """The Audio Spectrogram Transformer's, of 64 frames."""
    return hf.ASTFeatureExtractor(num_mel_bins=16, max_length=64)


def clap_fused() -> Any:
    """CLAP's with fusion, of one second."""
    return hf.ClapFeatureExtractor(feature_size=16, sampling_rate=16_000, max_length_s=1, truncation="fusion")


def clap() -> Any:
    """CLAP's without fusion, of one second."""
    return hf.ClapFeatureExtractor(
        feature_size=16, sampling_rate=16_000, max_length_s=1, truncation="rand_trunc"
    )


def seamless() -> Any:
    """w2v-bert's: two bands of 16 frames each."""
    return hf.SeamlessM4TFeatureExtractor(feature_size=16, num_mel_bins=16)


def bands() -> Any:
    """Speech2Text's, of 16 bands."""
    return hf.Speech2TextFeatureExtractor(feature_size=16, num_mel_bins=16)


def _numbered(pieces: list[str]) -> dict[str, int]:
    return {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}


def _scored(*special: str) -> list[tuple[str, float]]:
    pieces = [(piece, 0.0) for piece in special]
    return pieces + [(piece, -2.0 - index / 9) for index, piece in enumerate(["▁", *_LETTERS])]
