"""The encoders of the Hub that are used most, with the layout that each has.

The names are from memory, not from a ranking that was downloaded, and so is what each of them holds: the
layouts are built anew, tiny. ``*`` before a layout: the repository holds pickles alone, of which
``sslauth convert`` makes it.
"""

from collections.abc import Iterator, Mapping

_LISTED = """
MiniLM:
    sentence-transformers/all-MiniLM-L6-v2 sentence-transformers/all-MiniLM-L12-v2
    sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2
    sentence-transformers/paraphrase-MiniLM-L6-v2 sentence-transformers/multi-qa-MiniLM-L6-cos-v1
    thenlper/gte-base thenlper/gte-large intfloat/e5-base-v2 intfloat/e5-large-v2
    intfloat/multilingual-e5-small
mpnet, sentences:
    sentence-transformers/all-mpnet-base-v2 sentence-transformers/multi-qa-mpnet-base-dot-v1
e5 (XLM-R):
    sentence-transformers/paraphrase-multilingual-mpnet-base-v2 intfloat/multilingual-e5-base
    intfloat/multilingual-e5-large intfloat/multilingual-e5-large-instruct
    Snowflake/snowflake-arctic-embed-l-v2.0
*e5 (XLM-R):
    BAAI/bge-m3
bge:
    BAAI/bge-small-en-v1.5 BAAI/bge-base-en-v1.5 BAAI/bge-large-en-v1.5
    mixedbread-ai/mxbai-embed-large-v1 Snowflake/snowflake-arctic-embed-m WhereIsAI/UAE-Large-V1
Qwen3-Embedding:
    Qwen/Qwen3-Embedding-0.6B Qwen/Qwen3-Embedding-8B
EmbeddingGemma:
    google/embeddinggemma-300m
sentence-t5:
    sentence-transformers/sentence-t5-base sentence-transformers/gtr-t5-base hkunlp/instructor-large
cross-encoder:
    cross-encoder/ms-marco-MiniLM-L6-v2
XLMRobertaForSequenceClassification:
    BAAI/bge-reranker-base BAAI/bge-reranker-v2-m3
SPLADE:
    naver/splade-cocondenser-ensembledistil
BertForMaskedLM:
    google-bert/bert-base-uncased google-bert/bert-base-cased google-bert/bert-large-uncased
    google-bert/bert-base-multilingual-cased
RobertaForMaskedLM:
    FacebookAI/roberta-base FacebookAI/roberta-large distilbert/distilroberta-base
    cardiffnlp/twitter-roberta-base
XLMRobertaForMaskedLM:
    FacebookAI/xlm-roberta-base FacebookAI/xlm-roberta-large
DistilBertForMaskedLM:
    distilbert/distilbert-base-uncased
*DebertaV2ForMaskedLM:
    microsoft/deberta-v3-base microsoft/deberta-v3-large microsoft/mdeberta-v3-base
AlbertForMaskedLM:
    albert/albert-base-v2
*ElectraForPreTraining:
    google/electra-base-discriminator
ModernBertForMaskedLM:
    answerdotai/ModernBERT-base answerdotai/ModernBERT-large
modernbert, sentences:
    Alibaba-NLP/gte-modernbert-base nomic-ai/modernbert-embed-base
*MPNetForMaskedLM:
    microsoft/mpnet-base
*longformer:
    allenai/longformer-base-4096
*bert:
    allenai/scibert_scivocab_uncased emilyalsentzer/Bio_ClinicalBERT facebook/contriever
    princeton-nlp/sup-simcse-bert-base-uncased
*roberta:
    microsoft/codebert-base microsoft/unixcoder-base
*BertForSequenceClassification:
    ProsusAI/finbert
CamembertForMaskedLM:
    almanach/camembert-base
bert:
    colbert-ir/colbertv2.0
EsmForMaskedLM:
    facebook/esm2_t6_8M_UR50D facebook/esm2_t33_650M_UR50D
t5, whole:
    google-t5/t5-small google-t5/t5-base google/flan-t5-base
*mt5, whole:
    google/mt5-base
*DPRContextEncoder, alone:
    facebook/dpr-ctx_encoder-single-nq-base
*DPRQuestionEncoder, alone:
    facebook/dpr-question_encoder-single-nq-base
bart:
    facebook/bart-base
code of its own:
    Alibaba-NLP/gte-base-en-v1.5 Alibaba-NLP/gte-multilingual-base
jina v2:
    jinaai/jina-embeddings-v2-base-en
jina v3:
    jinaai/jina-embeddings-v3
nomic, as published:
    nomic-ai/nomic-embed-text-v1.5
clip, images:
    openai/clip-vit-base-patch32 openai/clip-vit-large-patch14 openai/clip-vit-large-patch14-336
    laion/CLIP-ViT-H-14-laion2B-s32B-b79K patrickjohncyl/fashion-clip
siglip, images:
    google/siglip-base-patch16-224 google/siglip-so400m-patch14-384 google/siglip2-base-patch16-224
siglip2, images:
    google/siglip2-base-patch16-naflex
dinov2:
    facebook/dinov2-small facebook/dinov2-base facebook/dinov2-large microsoft/rad-dino
dinov2, SwiGLU:
    facebook/dinov2-giant
dinov2_with_registers:
    facebook/dinov2-with-registers-base
dinov3_vit:
    facebook/dinov3-vits16-pretrain-lvd1689m facebook/dinov3-vitb16-pretrain-lvd1689m
dinov3_convnext:
    facebook/dinov3-convnext-tiny-pretrain-lvd1689m
ViTForImageClassification:
    google/vit-base-patch16-224
vit:
    google/vit-base-patch16-224-in21k
DeiTForImageClassificationWithTeacher:
    facebook/deit-base-distilled-patch16-224
ResNetForImageClassification:
    microsoft/resnet-50 microsoft/resnet-18
ConvNextForImageClassification:
    facebook/convnext-base-224
SwinForImageClassification:
    microsoft/swin-base-patch4-window7-224
BeitForImageClassification:
    microsoft/beit-base-patch16-224
ViTMAEForPreTraining:
    facebook/vit-mae-base
ijepa:
    facebook/ijepa_vith14_1k
aimv2_vision_model:
    apple/aimv2-large-patch14-224
SegformerForImageClassification:
    nvidia/mit-b0
EfficientNetForImageClassification:
    google/efficientnet-b0
timm resnet50, as published:
    timm/resnet50.a1_in1k
timm vit_tiny_patch16_224, as published:
    timm/vit_base_patch16_224.augreg2_in21k_ft_in1k
chinese_clip, images:
    OFA-Sys/chinese-clip-vit-base-patch16
align, images:
    kakaobrain/align-base
Wav2Vec2ForPreTraining:
    facebook/wav2vec2-base facebook/wav2vec2-xls-r-300m facebook/wav2vec2-large-xlsr-53
Wav2Vec2ForCTC:
    facebook/wav2vec2-base-960h
*hubert, group norm:
    facebook/hubert-base-ls960
HubertForCTC:
    facebook/hubert-large-ls960-ft
*wavlm:
    microsoft/wavlm-base-plus microsoft/wavlm-large
*WavLMForXVector:
    microsoft/wavlm-base-plus-sv
WhisperForConditionalGeneration:
    openai/whisper-tiny openai/whisper-base openai/whisper-small openai/whisper-large-v3
CLAP, recordings:
    laion/clap-htsat-unfused laion/larger_clap_general
CLAP, fused, recordings:
    laion/clap-htsat-fused
ASTForAudioClassification:
    MIT/ast-finetuned-audioset-10-10-0.4593
w2v-bert-2.0:
    facebook/w2v-bert-2.0
data2vec-audio:
    facebook/data2vec-audio-base
"""


def _listed() -> Iterator[tuple[str, str]]:
    layout = ""
    for line in _LISTED.splitlines():
        if line.endswith(":"):
            layout = line.removesuffix(":")
        else:
            yield from ((name, layout) for name in line.split())


MOST_USED: Mapping[str, str] = dict(_listed())


def share(states: Mapping[str, str]) -> str:
    """How many of the most used encoders have a layout that works, as far as it was checked.

    Args:
        states: layout -> what came of it.
    """
    found = {name: states.get(layout.removeprefix("*")) for name, layout in MOST_USED.items()}
    checked = {name: state for name, state in found.items() if state is not None}
    if not checked:
        return ""
    works = [name for name, state in checked.items() if state == "works"]
    converted = sum(MOST_USED[name].startswith("*") for name in works)
    others = [f"{name} ({MOST_USED[name]}: {state})" for name, state in checked.items() if state != "works"]
    lines = [
        f"of {len(MOST_USED)} encoders that are used most, {len(checked)} have a layout that was checked "
        f"here, and {len(works)} of these work ({len(works) / len(checked):.1%}), {converted} once sslauth "
        "convert has read their pickles; the names are from memory, the layouts are rebuilt tiny, none was "
        "downloaded",
        *(f"  not: {other}" for other in others),
    ]
    return "\n".join(lines)
