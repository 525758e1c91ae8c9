"""``python -m llama_cloud_ext.cli``: the same as the ``llama-cloud-ext`` script."""

from __future__ import annotations

from llama_cloud_ext.cli import main

if __name__ == "__main__":
    main()
