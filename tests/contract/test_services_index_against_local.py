"""The index classes of the deprecated llama-cloud-services work against local LlamaCloud, as they are."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.virtualenvs import ROOT, clean_environment, virtualenv


def test_the_index_classes_of_the_deprecated_package(served_cloud: str) -> None:
    """Ensure they create, fill, change and ask an index, with ids that need encoding and with a composite retriever."""
    python = virtualenv("services", ["llama-cloud-services==0.6.94"])
    script = Path(__file__).with_name("services_index_journey.py")
    done = subprocess.run(
        [str(python), str(script), served_cloud, str(ROOT / "tests" / "data" / "latex-lorem.pdf")],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["documents"] == sorted(["c/a t", "dogs", seen["file"]])
    assert seen["best"] == ["Cats sleep a lot.", "c/a t"]
    assert seen["updated"] == "Cats purr."
    assert seen["left"] == sorted(["dogs", seen["file"]])
    assert seen["composite"] == ["Dogs bark."]
