"""Signatures over encoders, made with model-signing, or edited and signed again."""

from pathlib import Path
from typing import Any

from tests.signing.forging import Edit, edit_statement


def sign_model(folder: Path, private: Path, *, ignoring: tuple[str, ...] = (), **how: Any) -> Path:
    """What a publisher gets who signs a folder with a key."""
    from model_signing import hashing, signing

    config, file = hashing.Config(), folder / "model.sig"
    if "shard_size" in how:
        config.use_shard_serialization(**how)
    else:
        config.use_file_serialization(**how)
    config.set_ignored_paths(paths=["model.sig", *ignoring], ignore_git_paths=True)
    signer = signing.Config().use_elliptic_key_signer(private_key=private).set_hashing_config(config)
    signer.sign(folder, file)
    return file


def state_model(file: Path, private: Path, edit: Edit) -> None:
    """Change what a signature states, and sign it again with the key."""
    edit_statement(file, private, edit)
