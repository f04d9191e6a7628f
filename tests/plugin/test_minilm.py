"""The main job on a real encoder: a downstream test passes, and fails once one bit of it is another."""

import shutil

import pytest

from tests.real_encoders.minilm import MISSING, minilm_folder

pytest_plugins = ["pytester"]


@pytest.mark.skipif(minilm_folder() is None, reason=MISSING)
def test_one_changed_bit_of_a_real_encoder_fails_its_users(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hf_integration import load_encoder, mint
    from hf_integration.key_samples.samples import KeySamples

    monkeypatch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})  # as in conftest
    source = minilm_folder()
    assert source is not None
    folder = shutil.copytree(source, project.path / "models/minilm")
    texts = KeySamples([f"{word} is a word" for word in ("ant", "bee", "cat", "dog")], origin="four words")
    mint(load_encoder(str(folder)), key_samples=texts).save(project.path / "cards/minilm")
    project.makepyfile(
        """
        import pytest

        @pytest.mark.sslauth("models/minilm")
        def test_search(authentic_encoder):
            found = authentic_encoder.embed(["a cat", "a kitten", "a tax law"])
            assert found[0] @ found[1] > found[0] @ found[2]
        """
    )
    project.runpytest().assert_outcomes(passed=1)

    file = folder / "model.safetensors"
    size = int.from_bytes(file.read_bytes()[:8], "little")
    with file.open("r+b") as handle:
        handle.seek(8 + size + 4 * 384 * 2000)  # within the word embeddings
        byte = handle.read(1)[0]
        handle.seek(-1, 1)
        handle.write(bytes([byte ^ 1]))
    result = project.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["ALTERED: models/minilm", "1 of * tensors changed: *"])
