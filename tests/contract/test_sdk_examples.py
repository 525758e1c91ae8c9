"""The examples that the official SDK publishes run, unchanged, against local LlamaCloud."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.virtualenvs import FOLDER, SDK, clean_environment, one_maker_of

EXAMPLES = ["parse_end_to_end.py", "parse_extract_page_images.py", "parse_manual_polling.py"]


@pytest.fixture(scope="session")
def sdk_examples(sdk_python: Path) -> Path:
    """The `examples` folder of the SDK's source distribution, downloaded once."""
    home = FOLDER / SDK.replace("==", "-")
    with one_maker_of(home.name):
        if not (home / "examples").is_dir():
            home.mkdir(parents=True, exist_ok=True)
            command = [str(sdk_python), "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
            subprocess.run([*command, "--dest", str(home), SDK], check=True, timeout=300)
            (archive,) = home.glob("*.tar.gz")
            with tarfile.open(archive) as packed:
                members = [member for member in packed.getmembers() if "/examples/" in member.name]
                packed.extractall(home / "unpacked", members, filter="data")
            (unpacked,) = (home / "unpacked").glob("*/examples")
            unpacked.rename(home / "examples")
    return home / "examples"


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_parse_examples(sdk_python: Path, sdk_examples: Path, served_cloud: str, tmp_path: Path, name: str) -> None:
    """Ensure that a published example does against local LlamaCloud what it is there to show."""
    shutil.copytree(sdk_examples / "example_files", tmp_path / "example_files")
    folder = shutil.copytree(sdk_examples / "parse", tmp_path / "parse")
    environment = clean_environment(LLAMA_CLOUD_BASE_URL=served_cloud, LLAMA_CLOUD_API_KEY="llx-example")
    done = subprocess.run(
        [str(sdk_python), name], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    if "images" in name:
        assert (folder / "page_1.jpg").read_bytes().startswith(b"\xff\xd8")
    else:
        assert "The Transformer achieves better BLEU scores" in done.stdout
        assert "ItemsPageStructuredResultPage" in done.stdout
