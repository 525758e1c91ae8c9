"""A journey of the deprecated package's index classes; run in its own virtual environment with the base URL and a file.

Prints one JSON object with what it saw.
"""

from __future__ import annotations

import contextlib
import json
import sys
import warnings

warnings.simplefilter("ignore")

from llama_cloud.types import ReRankConfig  # noqa: E402 - after the filter: importing it warns
from llama_cloud_services import LlamaCloudCompositeRetriever, LlamaCloudIndex  # noqa: E402 - see above
from llama_index.core import Document  # noqa: E402 - see above

base_url, path = sys.argv[1:]
here = {"project_name": "Default", "api_key": "llx-services", "base_url": base_url}
seen: dict[str, object] = {}
with contextlib.redirect_stdout(sys.stderr):  # they print
    documents = [Document(text="Cats sleep a lot.", id_="c/a t"), Document(text="Dogs bark.", id_="dogs")]
    index = LlamaCloudIndex.from_documents(documents, "from-services", **here)
    file_id = index.upload_file(path)
    seen["documents"] = sorted(index.ref_doc_info)
    seen["file"] = file_id
    nodes = index.as_retriever(dense_similarity_top_k=2).retrieve("How much do cats sleep?")
    seen["best"] = [nodes[0].node.text, nodes[0].node.ref_doc_id]
    index.update_ref_doc(Document(text="Cats purr.", id_="c/a t"))
    seen["updated"] = index.as_retriever(sparse_similarity_top_k=1).retrieve("purr")[0].node.text
    index.delete_ref_doc("c/a t")
    seen["left"] = sorted(index.ref_doc_info)
    composite = LlamaCloudCompositeRetriever(
        "services-composite", create_if_not_exists=True, mode="full", rerank_config=ReRankConfig(top_n=1), **here
    )
    composite.add_index(index)
    seen["composite"] = [node.node.text for node in composite.retrieve("dogs")]
sys.stdout.write(json.dumps(seen))
