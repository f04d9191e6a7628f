# ruff: noqa: RUF001  # the ambiguous letters of other scripts are the point of this list
"""Texts that tokenizers read differently, each with a name: what a report says where one is read differently.

Words of other scripts are everyday ones. The kinds are those in which runtimes were found to differ from the
original, and their neighbours.
"""

from collections.abc import Mapping

NASTY: Mapping[str, str] = {
    "plain English texts": "The quick brown fox jumps over the lazy dog.",
    "texts in capital letters": "THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG",
    "single letters": "a",
    "numbers": "3.14159 1,000,000 -42 1e-9 50% 0x1F",
    "punctuation": "Wait... what?! (really; truly) [yes] {no} \"quoted\" 'single' -- dash",
    "currency and mathematical signs": "€5 £6 ¥7 ±3 ≤ ∞ √2 × ÷",
    "program code": "def f(x): return x**2  # comment\n\tif x == 1: pass",
    "web addresses": "https://example.org/a_b?c=d&e=%20#f user@example.org",
    "accented Latin letters": "café naïve Ångström Dvořák coöperate piñata",
    "accents written as characters of their own": "cafe\u0301 nai\u0308ve A\u030angstro\u0308m",
    "the German sharp s and ligatures": "Straße \ufb01nd o\ufb03ce \u0133sselmeer Æsir œuvre",
    "the Turkish i with and without a dot": "İstanbul ILIK ırmak DİYARBAKIR",
    "Vietnamese texts": "Tiếng Việt được viết bằng chữ Quốc ngữ",
    "Greek texts": "Η Ελλάδα είναι όμορφη",
    "Greek texts with accents": "ἀρχὴ ἥμισυ παντός, ὕδωρ, ᾠδή",
    "Cyrillic texts": "Быстрая коричневая лиса, ёлка и йод",
    "Hebrew texts": "שלום עולם, זה טקסט",
    "Hebrew texts with points": "שָׁלוֹם עוֹלָם",
    "Arabic texts": "مرحبا بالعالم، هذا نص",
    "Hindi texts": "नमस्ते दुनिया, यह एक पाठ है",
    "Bengali texts": "ওহে বিশ্ব, এটি একটি লেখা",
    "Tamil texts": "வணக்கம் உலகம்",
    "Thai texts": "สวัสดีชาวโลก นี่คือข้อความ",
    "Georgian texts": "გამარჯობა მსოფლიო",
    "Chinese texts": "你好,世界。這是一段文字。",
    "rare Chinese characters": "𠮷野家 𪚥",
    "Japanese texts": "こんにちは世界、これはテキストです。カタカナ",
    "Japanese texts in half-width letters": "ｶﾀｶﾅ ﾃﾞｰﾀ",
    "full-width Latin letters": "Ｆｕｌｌ　ｗｉｄｔｈ　１２３",
    "Korean texts": "안녕하세요 세계, 이것은 텍스트입니다",
    "Korean letters that are not composed": "\u1112\u1161\u11ab\u1100\u1173\u11af",
    "emoji": "I love it 😀 🎉 👍",
    "emoji put together of several": "👩‍👩‍👧‍👦 🇩🇪 👍🏽 ❤️",
    "letters used in mathematics": "𝒜 𝔅 ℂ 𝟙 𝐛𝐨𝐥𝐝",
    "signs above the usual plane": "\U00010348 \U0001d11e \U0001f9ec",
    "the class token written in the text": "a [CLS] b",
    "the separator written in the text": "a [SEP] b </s> c",
    "the padding token written in the text": "a [PAD] b <pad> c",
    "the mask and unknown token written in the text": "a [MASK] b [UNK] c <mask> <unk> <s>",
    "pieces of words written in the text": "##ing un##able ▁word Ġword",
    "long words": "pneumonoultramicroscopicsilicovolcanoconiosis" * 3,
    "one word of more than a hundred letters": "x" * 120,
    "repeated characters": "!" * 40 + "a" * 40,
    "white space of several kinds": "a  b\tc\nd\r\ne\u00a0f\u2003g\u3000h",
    "white space around the text": "  leading and trailing  ",
    "a text of one space": " ",
    "the empty text": "",
    "zero-width characters": "zero\u200bwidth\u200djoin\ufeffmark",
    "soft hyphens and direction marks": "soft\u00adhyphen \u202eright\u202c \u200fmark",
    "control characters": "bell\x07null\x00escape\x1b",
    "the replacement character": "broken \ufffd text",
    "unassigned and private characters": "\ue000 \U000f0000 \u0378",
    "typographic quotes and dashes": "“quoted” ‘single’ – dash — long … „low“",
    "superscripts and fractions": "x² H₂O ½ ¾ № ™",
    "mixed scripts": "hello мир 世界 שלום",
}
"""Name in the plural -> text."""

LENGTHS = (120, 140, 300, 600)
"""Words of long texts of one token each: between the usual cuts of 128, 256 and 512 and beyond."""


def long_text(words: int) -> str:
    """A text of common words, each of which is one token in most vocabularies."""
    some = ("the", "house", "water", "people", "time", "work", "day", "place")
    return " ".join(some[place % len(some)] for place in range(words))
