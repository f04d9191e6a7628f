"""What a model card claims, held against what a check found: a broken claim is never a pass."""

from collections.abc import Iterator
from dataclasses import replace

from hf_integration.encoders.interface import Encoder
from hf_integration.hub.published import PublishedCard
from hf_integration.verdict import Claim, Verdict

_REMEDY = (
    "this is not a pass: ask its publisher to publish a card of these weights, or name a card that you trust "
    "with --card"
)


def with_claims(verdict: Verdict, published: PublishedCard, encoder: Encoder) -> Verdict:
    """Put a model card's claims on the verdict of a check with its card.

    A claim that does not hold makes an encoder that would have passed inconclusive. One that was found
    altered stays so; the reason then begins with what the model card is wrong about.

    Args:
        verdict: of the check, whatever trust it was made with.
        published: the card that it was made with.
        encoder: what was checked.
    """
    if published.advertised is None:
        return verdict
    claims = (*published.claims, *_found(verdict, published, encoder))
    broken = [claim.says for claim in published.claims if not claim.holds]
    if encoder.commit != published.commit:
        broken.append("the encoder that was checked is of another commit than its model card")
    width = claims[-1]
    if not width.holds:
        broken.append(width.says)
    if not broken:
        return replace(verdict, claims=claims)
    reason = "; ".join(broken if verdict.authentic else (*broken, verdict.reason))
    if verdict.status == "altered":
        return replace(verdict, claims=claims, reason=reason)
    return replace(
        verdict,
        status="inconclusive",
        reason=reason,
        margin=None,
        diagnosis=(*verdict.diagnosis[:-1], _REMEDY),
        claims=claims,
    )


def broken_without_encoder(published: PublishedCard) -> tuple[str, ...]:
    """What is wrong with a model card's claims, as far as it shows without the encoder, in words.

    What the Hub could not be asked is not among them: see ``published.unanswered``.
    """
    broken = [
        claim.says for claim in published.claims if not claim.holds and claim is not published.unanswered
    ]
    recorded = published.card.encoder.embedding_dim
    said = published.advertised.embedding_dim if published.advertised is not None else recorded
    if said != recorded:
        broken.append(f"the model card says embeddings are {said} wide, the card {recorded}")
    return tuple(broken)


def _found(verdict: Verdict, published: PublishedCard, encoder: Encoder) -> Iterator[Claim]:
    """Claims that only the loaded encoder can show, the width of its embeddings last."""
    tensors, files = verdict.tensors, verdict.files
    if files.changed:
        yield Claim("files", False, f"{len(files.changed)} settings differ")
    else:
        yield Claim("files", True, f"{files.checked} behaviour files are equal")
    if tensors.matches is None:
        differing = len(tensors.changed) + len(tensors.missing) + len(tensors.unexpected)
        yield Claim("tensors", False, f"{differing} of {tensors.checked} differ")
    else:
        yield Claim("tensors", True, f"all {tensors.checked} are equal")
    broken = verdict.first_broken_strip
    if broken is None and verdict.strips:
        yield Claim("watermark", True, f"intact in all {len(verdict.strips)} strips")
    else:
        yield Claim("watermark", False, f"broken from strip '{broken}' on")
    yield _width_claim(published, encoder)


def _width_claim(published: PublishedCard, encoder: Encoder) -> Claim:
    """The width of an embedding that was made, and not one that a configuration states."""
    said = published.advertised.embedding_dim if published.advertised is not None else 0
    about, recorded = "embedding width", published.card.encoder.embedding_dim
    try:
        width = int(encoder.embed(published.card.key_samples[:1]).shape[-1])
    except Exception as error:  # whatever code runs in an encoder: one that cannot run has no width
        return Claim(about, False, f"no embedding could be made: {type(error).__name__}")
    if width == said == recorded:
        return Claim(about, True, f"{width}")
    return Claim(
        about, False, f"the embeddings are {width} wide; the model card says {said}, the card {recorded}"
    )
