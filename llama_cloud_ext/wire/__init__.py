"""HTTP and nothing else: settings, transport, uploads, job watching, one module of functions per resource.

Nothing here knows LlamaIndex; nothing outside this package imports httpx.
"""
