"""The LLM for `serve --llm` in the tests: it has read the receipt of the official SDK's examples."""

from __future__ import annotations

import json

from tests.local.answering_llm import AnsweringLLM

READ = {"vendor_name": "Noisebridge", "total_amount": 10, "date": "2024-07-19"}
QUOTES = {"vendor_name": "Noisebridge", "total_amount": "Total $10.00", "date": "July 19, 2024"}


def receipt_llm() -> AnsweringLLM:
    """An LLM for one question."""
    quotes = [{"path": path, "quote": quote} for path, quote in QUOTES.items()]
    return AnsweringLLM(json.dumps({"data": READ, "quotes": quotes}))
