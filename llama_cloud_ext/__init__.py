"""The LlamaIndex integration for LlamaCloud."""
