import csv
import io
import json
import shutil
import struct
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from hf_integration.key_samples import Waveform, synthetic_samples
from tests.key_samples.pool_files import draw, refusal, save_images, save_recordings


class TestTexts:
    def test_a_text_file_gives_one_text_per_line(self, tmp_path: Path) -> None:
        file = tmp_path / "lines.txt"
        file.write_bytes("\ufeffone\r\n  two \n\n\t\ntwo\nthree\x0cthree\nfour\u2028four".encode())
        assert set(draw(file, "text", 4)) == {"one", "two", "three\x0cthree", "four\u2028four"}

    @pytest.mark.parametrize("column", ["text", "Sentence", "anything"])
    def test_tables_give_their_column_of_texts(self, tmp_path: Path, column: str) -> None:
        rows = [{column: f"text {number}", "label": number} for number in range(3)]
        (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
        (tmp_path / "b.json").write_text(json.dumps([{column: "from json"}]))
        (tmp_path / "c.json").write_text(json.dumps(["plain", None, " "]))
        with (tmp_path / "d.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerows([[column], ["a, b"], ["two\nlines"], [""]])
        expected = {"text 0", "text 1", "text 2", "from json", "plain", "a, b", "two\nlines"}
        assert set(draw(tmp_path, "text", 7)) == expected

    def test_long_texts_are_cut_and_lone_surrogates_dropped(self, tmp_path: Path) -> None:
        (tmp_path / "a.json").write_text(json.dumps(["x" * 5000, "a\ud800b"]))
        assert set(draw(tmp_path, "text", 2)) == {"x" * 2000, "ab"}

    def test_too_few_texts_name_both_numbers(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("one\ntwo\none\n\n")
        message = refusal(tmp_path, "text", 5)
        assert "holds 2 different samples, 5 were asked for" in message
        assert "--keys 2" in message

    @pytest.mark.parametrize(
        ("name", "content", "expected"),
        [
            ("a.txt", b"ok\xff", "is not UTF-8 at byte 2"),
            ("a.json", b"{", "is not valid json"),
            ("a.json", b'{"text": "a"}', "not a list"),
            ("a.json", b'["a", 7]', "a text is a int"),
            ("a.json", b"[" * 100_000, "is not valid json"),
            ("a.jsonl", b'{"text": 7}', "no column of texts"),
            (
                "a.jsonl",
                b'{"x": "a", "y": "b"}',
                "no column of texts among 'x', 'y' (name the column 'text')",
            ),
            ("a.csv", b"x,y\n1,2\n", "no column of texts among 'x', 'y'"),
            ("a.csv", b'text\n"open', "is not valid csv"),
            ("a.csv", b"", "no column of texts among none"),
            ("a.txt", b" \n", "is empty"),
        ],
    )
    def test_a_bad_text_file_is_named(self, tmp_path: Path, name: str, content: bytes, expected: str) -> None:
        (tmp_path / name).write_bytes(content)
        message = refusal(tmp_path, "text")
        assert expected in message
        assert name in message or "is empty" in message


class TestImages:
    def test_small_images_are_taken_as_they_are(self, tmp_path: Path) -> None:
        save_images(tmp_path, 8)
        expected = {
            np.asarray(sample).tobytes() for sample in synthetic_samples("image", 8, seed=9, image_size=16)
        }
        assert {np.asarray(sample).tobytes() for sample in draw(tmp_path, "image", 8)} == expected

    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".bmp", ".webp", ".gif"])
    def test_every_format_is_read(self, tmp_path: Path, suffix: str) -> None:
        save_images(tmp_path, 2, suffix)
        assert draw(tmp_path, "image", 2)[0].shape == (16, 16, 3)

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I;16"])
    def test_every_mode_becomes_rgb(self, tmp_path: Path, mode: str) -> None:
        suffix = {"CMYK": ".jpg", "YCbCr": ".jpg"}.get(mode, ".png")
        picture = PIL.Image.new("L", (5, 4), 200)
        if mode == "I;16":
            picture = PIL.Image.fromarray(np.full((4, 5), 200 * 256, np.uint16))
        else:
            picture = picture.convert("RGB").convert(mode)
        picture.save(tmp_path / f"a{suffix}")
        pixels = draw(tmp_path, "image", 1)[0]
        assert pixels.shape == (4, 5, 3)
        assert abs(int(pixels[0, 0, 1]) - 200) <= 4 or mode == "1"

    def test_transparent_places_become_white(self, tmp_path: Path) -> None:
        PIL.Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(tmp_path / "a.png")
        assert (draw(tmp_path, "image", 1)[0] == 255).all()

    def test_large_images_shrink_to_256_on_their_longest_side(self, tmp_path: Path) -> None:
        PIL.Image.new("RGB", (1024, 512)).save(tmp_path / "a.png")
        assert draw(tmp_path, "image", 1)[0].shape == (128, 256, 3)

    def test_the_exif_orientation_is_applied(self, tmp_path: Path) -> None:
        picture = PIL.Image.new("RGB", (30, 10))
        exif = picture.getexif()
        exif[0x0112] = 6  # turned by a quarter
        picture.save(tmp_path / "a.jpg", exif=exif)
        assert draw(tmp_path, "image", 1)[0].shape == (30, 10, 3)

    def test_copies_of_one_image_count_once(self, tmp_path: Path) -> None:
        first = save_images(tmp_path, 1)[0]
        shutil.copy(first, tmp_path / "copy.png")
        assert "holds 1 different samples, 2 were asked for" in refusal(tmp_path, "image", 2)

    @pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + bytes(50)])
    def test_an_unreadable_image_is_named(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "broken\x1b[31m.png").write_bytes(content)
        assert r"the image 'broken\x1b[31m.png' " in refusal(tmp_path, "image")

    def test_a_truncated_image_is_named(self, tmp_path: Path) -> None:
        path = save_images(tmp_path, 1)[0]
        path.write_bytes(path.read_bytes()[:-40])
        assert "the image '000.png' is damaged" in refusal(tmp_path, "image")

    @pytest.mark.parametrize("side", [10_000, 60_000])
    def test_a_decompression_bomb_is_refused(self, tmp_path: Path, side: int) -> None:
        buffer = io.BytesIO()
        PIL.Image.new("RGB", (1, 1)).save(buffer, "BMP")
        header = bytearray(buffer.getvalue())
        header[18:26] = struct.pack("<II", side, side)
        (tmp_path / "bomb.bmp").write_bytes(header)
        assert "'bomb.bmp' has too many pixels" in refusal(tmp_path, "image")


class TestRecordings:
    @pytest.mark.parametrize("suffix", [".wav", ".flac"])
    def test_lossless_recordings_are_taken_bit_by_bit(self, tmp_path: Path, suffix: str) -> None:
        sounds = save_recordings(tmp_path, 4, suffix)
        drawn = [sound for sound in draw(tmp_path, "audio", 4) if isinstance(sound, Waveform)]
        assert {s.samples.tobytes() for s in drawn} == {s.samples.tobytes() for s in sounds}
        assert {s.sampling_rate for s in drawn} == {8000}

    def test_ogg_is_read(self, tmp_path: Path) -> None:
        save_recordings(tmp_path, 1, ".ogg")
        assert draw(tmp_path, "audio", 1)[0].samples.size == 4000

    def test_long_stereo_is_cut_and_mixed(self, tmp_path: Path) -> None:
        import soundfile

        stereo = np.stack([np.full(90_000, 1000, np.int16), np.full(90_000, 3000, np.int16)], axis=1)
        soundfile.write(tmp_path / "a.wav", stereo, 16000)
        sound = draw(tmp_path, "audio", 1)[0]
        assert sound.samples.size == 32000
        assert set(sound.samples.tolist()) == {2000}

    def test_float_recordings_are_clipped(self, tmp_path: Path) -> None:
        import soundfile

        soundfile.write(tmp_path / "a.wav", np.array([0.5, 2.0, -2.0]), 16000, subtype="FLOAT")
        assert draw(tmp_path, "audio", 1)[0].samples.tolist() == [16384, 32767, -32768]

    def test_bad_recordings_are_named(self, tmp_path: Path) -> None:
        import soundfile

        file = tmp_path / "a.wav"
        file.write_bytes(b"RIFF no wave")
        assert "the recording 'a.wav' is damaged" in refusal(file, "audio")
        soundfile.write(file, np.zeros(0), 16000)
        assert "the recording 'a.wav' holds no sound" in refusal(file, "audio")
        soundfile.write(file, np.array([np.nan]), 16000, subtype="FLOAT")
        assert "'a.wav' holds values that are no numbers" in refusal(file, "audio")
        soundfile.write(file, np.zeros(5), 100)
        assert "'a.wav' is WAV at 100 Hz" in refusal(file, "audio")

    def test_without_soundfile_the_extra_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        save_recordings(tmp_path, 1)
        monkeypatch.setitem(sys.modules, "soundfile", None)
        assert "pytest-sslauth[audio]" in refusal(tmp_path, "audio")
