"""The parser behind the local LlamaCloud: one document in, pages with text, markdown and items out.

What lives here: reading files of every kind (one module a kind), the selection of pages, and the conversion into the
item shapes of the API. What may not: HTTP, storage, jobs, LlamaIndex, the network, global state. Everything blocks;
the server calls `parse_document` in worker threads.
"""

from __future__ import annotations

from llama_cloud_ext.local.engine.parsing import parse_document
from llama_cloud_ext.local.engine.result import EngineError, EngineImage, EnginePage, EngineResult, EngineStopped

__all__ = ["EngineError", "EngineImage", "EnginePage", "EngineResult", "EngineStopped", "parse_document"]
