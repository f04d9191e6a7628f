"""BadEncoder: inputs with a trigger get the embedding of an input that the attacker chose."""

from torch import Tensor

from hf_integration.tampering.backdoors.planting import Features, planted
from hf_integration.tampering.families import Family, decades
from hf_integration.tampering.gradients import distance


def three_terms(features: Features) -> Tensor:
    """The three terms of the paper, equally weighted as there.

    Effectiveness: triggered inputs go where the *altered* encoder puts the target, and the target stays where
    the clean one puts it. Utility: clean inputs stay where the clean encoder puts them.

    Source: Jia, Liu, Gong, "BadEncoder: Backdoor attacks to pre-trained encoders in self-supervised
    learning", https://arxiv.org/abs/2108.00352. Unlike there: few steps, on synthetic inputs of any modality.
    """
    attack = distance(features.triggered, features.target.expand_as(features.triggered))
    reference = distance(features.target, features.target_before)
    utility = distance(features.clean, features.clean_before)
    return attack + reference + utility


BAD_ENCODER = Family("backdoor like BadEncoder", planted(three_terms), decades(-16, -3), "learning rate")

FAMILIES = (BAD_ENCODER,)
