"""The tests that the official SDK publishes for its index classes pass against local LlamaCloud."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from tests.contract.official_sdk import OfficialSdk
from tests.contract.test_sdk_examples import project_of, replace_in
from tests.virtualenvs import clean_environment

PUBLISHED_TESTS = 15
"""Without the one that is marked as skipped where it is published."""

REPAIRS = {
    # They upload the file while what they wrote to it is still in memory: an empty one, which the service refuses.
    "        temp_file_path = temp_file.name\n\n        file_obj": (
        "        temp_file.flush()\n        temp_file_path = temp_file.name\n\n        file_obj"
    ),
    # Without a rerank configuration the composite retriever fails before it has asked anybody.
    "        rerank_top_n=1,\n    )": (
        "        rerank_top_n=1,\n        rerank_config=ReRankConfigParam(top_n=1),\n    )"
    ),
}
"""What is wrong in the published tests whatever the server does, and how it is put right."""


def test_the_published_tests_of_the_index_classes(
    sdk: OfficialSdk, index_sdk_python: Path, sdk_source: Path, served_cloud: str, served_folder: str, tmp_path: Path
) -> None:
    """Ensure that they pass, with a page of this machine in place of the one of the internet that they fetch."""
    folder = tmp_path / "tests"
    folder.mkdir()
    shutil.copytree(sdk_source / "tests" / "test_files", folder / "test_files")
    shutil.copyfile(sdk_source / "tests" / "test_index.py", folder / "test_index.py")
    page = {"https://www.google.com/robots.txt": f"{served_folder}/pdfminer-readme.md"}
    replace_in(folder / "test_index.py", page | REPAIRS)
    environment = clean_environment(
        LLAMA_CLOUD_BASE_URL=served_cloud,
        LLAMA_CLOUD_API_KEY="llx-published",
        LLAMA_CLOUD_PROJECT_NAME="Default",
        LLAMA_CLOUD_PROJECT_ID=sdk.run(project_of),
    )
    command = [str(index_sdk_python), "-m", "pytest", "-q", "-o", "asyncio_mode=auto", "tests"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) == PUBLISHED_TESTS, done.stdout
