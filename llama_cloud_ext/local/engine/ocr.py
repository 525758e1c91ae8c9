"""OCR settings. It runs only where the user has configured a folder of tessdata: nothing is ever downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llama_cloud_ext.local.engine.options import EngineOptions

NEEDS_TESSDATA = (
    "It seems to consist of pictures of text. Reading those needs OCR, which is off: serve with a folder of "
    "Tesseract language data (llama-cloud-ext serve --tessdata DIR)."
)

_TESSERACT = {
    "af": "afr",
    "ar": "ara",
    "az": "aze",
    "be": "bel",
    "bg": "bul",
    "bn": "ben",
    "bs": "bos",
    "ch_sim": "chi_sim",
    "ch_tra": "chi_tra",
    "cs": "ces",
    "cy": "cym",
    "da": "dan",
    "de": "deu",
    "en": "eng",
    "es": "spa",
    "et": "est",
    "fa": "fas",
    "fr": "fra",
    "ga": "gle",
    "hi": "hin",
    "hr": "hrv",
    "hu": "hun",
    "id": "ind",
    "is": "isl",
    "it": "ita",
    "ja": "jpn",
    "kn": "kan",
    "ko": "kor",
    "la": "lat",
    "lt": "lit",
    "lv": "lav",
    "mr": "mar",
    "ms": "msa",
    "ne": "nep",
    "nl": "nld",
    "no": "nor",
    "pl": "pol",
    "pt": "por",
    "ro": "ron",
    "ru": "rus",
    "sk": "slk",
    "sl": "slv",
    "sq": "sqi",
    "sv": "swe",
    "sw": "swa",
    "ta": "tam",
    "te": "tel",
    "th": "tha",
    "tl": "tgl",
    "tr": "tur",
    "uk": "ukr",
    "ur": "urd",
    "uz": "uzb",
    "vi": "vie",
}
"""Language codes of the API to names of language data, where they differ."""


def ocr_settings(options: EngineOptions, tessdata: Path | None) -> dict[str, Any]:
    """Parser arguments for OCR.

    Args:
        options: With the languages asked for.
        tessdata: Folder of language data, or None for no OCR.

    Returns:
        Arguments for the parser.

    Example:
        >>> ocr_settings(EngineOptions(), None)
        {'ocr_enabled': False}
    """
    if tessdata is None:
        return {"ocr_enabled": False}
    return {
        "ocr_enabled": True,
        "tessdata_path": str(tessdata),
        "ocr_language": "+".join(available_languages(options, tessdata)),
        "ocr_failure_fatal": False,
        "num_workers": 1,
    }


def available_languages(options: EngineOptions, tessdata: Path) -> list[str]:
    """The wanted languages that there is data for, or English, or whatever there is."""
    there = sorted(file.stem for file in tessdata.glob("*.traineddata") if file.stem != "osd")
    wanted = [_TESSERACT.get(language, language) for language in options.languages]
    return [name for name in wanted if name in there] or [name for name in ("eng",) if name in there] or there[:1]
