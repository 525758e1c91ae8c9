"""The official SDK against local LlamaCloud, and its requests compared with ours."""
