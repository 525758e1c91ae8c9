"""Parse v2 for LlamaIndex: options, jobs, results, and their conversion to Documents, images and nodes.

HTTP lives in `llama_cloud_ext.wire`; nothing here imports httpx.
"""
