"""Verdicts made by hand, for reports to render."""

from dataclasses import replace

from hf_integration.verdict import Accepted, CardIdentity, FileEvidence, StripResult, TensorEvidence, Verdict

STRIPS = (
    StripResult("processor", 0.0, 0.4, True, 0.0),
    StripResult("layer 1", 0.02, 0.4, True, 0.1),
    StripResult("embedding", 0.03, 0.4, True, 0.2),
)

AUTHENTIC = Verdict(
    status="authentic",
    reason="the watermark is intact, and all tensors and behaviour files are equal",
    trust="local",
    encoder="org/encoder",
    revision="c0ffee" * 6 + "1234",
    card=CardIdentity(digest="sha256:" + "ab" * 32, location="cards/encoder"),
    precision="float64",
    margin=13.3,
    strips=STRIPS,
    tensors=TensorEvidence(checked=20, matches="stored"),
    files=FileEvidence(checked=3),
    seconds=1.25,
)

ALTERED = replace(
    AUTHENTIC,
    status="altered",
    reason="12 of 20 tensors changed: layer.0, layer.1, layer.2 and 9 more; the watermark is broken",
    margin=0.29,
    strips=(
        *STRIPS[:1],
        StripResult("layer 1", 1.38, 0.4, False, 4.5e9),
        StripResult("embedding", 1e18, 0.4, False, 1e18),
    ),
    tensors=TensorEvidence(checked=20, changed=tuple(f"layer.{index}" for index in range(12))),
    files=FileEvidence(checked=3, changed=("config.json: hidden_act: gelu -> relu",)),
    diagnosis=("the deviation begins at strip 'layer 1'", "do not use this encoder"),
)

INCONCLUSIVE = replace(
    AUTHENTIC,
    status="inconclusive",
    reason="only the checked repository itself vouches for this card",
    trust="self-asserted",
    margin=None,
    diagnosis=("this is not a pass",),
)

WAIVED = replace(ALTERED, state="sha256:" + "cd" * 32, waiver=Accepted("known", "2030-01-31"))
