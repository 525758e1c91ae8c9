"""The official SDK, refusing every answer that its models do not describe: files and projects of local LlamaCloud."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx

from tests.contract.official_sdk import OfficialSdk
from tests.contract.served_cloud import ServedCloud


def test_a_file_from_upload_to_deletion(sdk: OfficialSdk, data_dir: Path) -> None:
    """Ensure that a file can be created, retrieved, downloaded and deleted, and is gone after that."""

    def journey(client: Any, path: str) -> dict[str, Any]:
        from pathlib import Path

        from llama_cloud import NotFoundError

        made = client.files.create(file=Path(path), purpose="parse", external_file_id="one-file")
        read = client.files.retrieve(made.id)
        expanded = client.files.retrieve(made.id, expand=["download_url"])
        content = client.files.content(made.id)
        client.files.content(made.id, expires_at_seconds=60)
        answers = {
            "made": made.to_dict(mode="json"),
            "read": read.to_dict(mode="json"),
            "expanded": expanded.download_url.url if expanded.download_url else None,
            "url": content.url,
        }
        import httpx

        answers["size"] = len(httpx.get(content.url).content)
        client.files.delete(made.id)
        gone = 0
        for call in (client.files.retrieve, client.files.content, client.files.delete):
            try:
                call(made.id)
            except NotFoundError:
                gone += 1
        return answers | {"gone": gone}

    path = data_dir / "latex-lorem.pdf"
    answer = sdk.run(journey, path=str(path))
    assert answer["made"]["name"] == "latex-lorem.pdf"
    assert answer["made"]["file_type"] == "pdf"
    assert (answer["made"]["purpose"], answer["made"]["external_file_id"]) == ("parse", "one-file")
    assert answer["read"] == answer["made"]
    assert answer["expanded"]
    assert answer["size"] == path.stat().st_size
    assert answer["gone"] == 3


def test_names_bytes_and_streams(sdk: OfficialSdk) -> None:
    """Ensure that what the SDK accepts as a file arrives with its name and content, whatever the name."""

    def journey(client: Any) -> list[str]:
        import io

        import httpx

        names = []
        for name in ("plain.txt", "Größe & Maß.PDF", 'quo"ted.md', "no-suffix"):
            made = client.files.create(file=(name, io.BytesIO(name.encode())), purpose="user_data")
            assert httpx.get(client.files.content(made.id).url).content == name.encode()
            names.append(made.name)
        return names

    assert sdk.run(journey) == ["plain.txt", "Größe & Maß.PDF", 'quo"ted.md', "no-suffix"]


def test_listing_filters_order_and_pages(sdk: OfficialSdk) -> None:
    """Ensure that files can be listed by name, ids and external id, in every order, over several pages."""

    def journey(client: Any) -> dict[str, Any]:
        names = ["list-c.txt", "list-a.txt", "list-b.txt", "list-a.txt"]
        made = [
            client.files.create(file=(name, name.encode()), purpose="parse", external_file_id=f"list-{number}")
            for number, name in enumerate(names)
        ]
        ids = [file.id for file in made]
        by_name = [file.name for file in client.files.list(file_ids=ids, order_by="name")]
        by_id = [file.id for file in client.files.list(file_ids=ids, order_by="id")]
        newest = [file.id for file in client.files.list(file_ids=ids, order_by="created_at")]
        page = client.files.list(file_ids=ids, page_size=3, order_by="id")
        rest = client.files.list(file_ids=ids, page_size=3, order_by="id", page_token=page.next_page_token)
        return {
            "by name": by_name,
            "by id": by_id == sorted(ids),
            "newest first": newest == ids[::-1],
            "same name": len(list(client.files.list(file_name="list-a.txt"))),
            "external": [file.id for file in client.files.list(external_file_id="list-2")] == [ids[2]],
            "pages": [len(page.items), len(rest.items), rest.next_page_token],
            "auto-paged": sum(file.id in ids for file in client.files.list(page_size=2)),
            "with urls": all(file.download_url for file in client.files.list(file_ids=ids, expand=["download_url"])),
        }

    assert sdk.run(journey) == {
        "by name": ["list-a.txt", "list-a.txt", "list-b.txt", "list-c.txt"],
        "by id": True,
        "newest first": True,
        "same name": 2,
        "external": True,
        "pages": [3, 1, None],
        "auto-paged": 4,
        "with urls": True,
    }


def test_the_deprecated_query(sdk: OfficialSdk) -> None:
    """Ensure that the older way to list files works: filters in the body, `desc`, pages."""

    def journey(client: Any) -> dict[str, Any]:
        import warnings

        warnings.simplefilter("ignore")
        made = [client.files.create(file=(f"query-{n}.txt", b"x"), purpose="parse") for n in range(3)]
        ids = [file.id for file in made]
        first = client.files.query(filter={"file_ids": ids}, order_by="name desc", page_size=2)
        rest = client.files.query(
            filter={"file_ids": ids}, order_by="name desc", page_size=2, page_token=first.next_page_token
        )
        return {
            "names": [file.name for file in [*first.items, *rest.items]],
            "end": rest.next_page_token,
            "by name": [f.name for f in client.files.query(filter={"file_name": "query-1.txt"}).items],
        }

    assert sdk.run(journey) == {
        "names": ["query-2.txt", "query-1.txt", "query-0.txt"],
        "end": None,
        "by name": ["query-1.txt"],
    }


def test_files_with_the_async_client(sdk: OfficialSdk) -> None:
    """Ensure that the async client can do the same."""

    async def journey(client: Any) -> dict[str, Any]:
        made = await client.files.create(file=("async.txt", b"hello"), purpose="parse")
        read = await client.files.retrieve(made.id)
        listed = [file.id async for file in client.files.list(file_ids=[made.id], page_size=1)]
        url = (await client.files.content(made.id)).url
        await client.files.delete(made.id)
        left = [file.id async for file in client.files.list(file_ids=[made.id])]
        return {"read": read.name, "listed": listed == [made.id], "left": left, "url": bool(url)}

    assert sdk.run(journey) == {"read": "async.txt", "listed": True, "left": [], "url": True}


def test_presigned_urls_expire(sdk: OfficialSdk) -> None:
    """Ensure that a download URL works until its time is over and is refused after it."""

    def journey(client: Any) -> str:
        made = client.files.create(file=("expiring.txt", b"soon gone"), purpose="parse")
        return client.files.content(made.id, expires_at_seconds=2).url

    url = sdk.run(journey)
    assert httpx.get(url).content == b"soon gone"
    time.sleep(2.1)
    assert httpx.get(url).status_code == 403


def test_an_empty_upload_is_refused(sdk: OfficialSdk) -> None:
    """Ensure that an empty file is refused in the service's words."""

    def journey(client: Any) -> list[Any]:
        from llama_cloud import BadRequestError

        refusals = []
        for call in (
            lambda: client.files.create(file=("empty.pdf", b""), purpose="parse"),
            lambda: client.parsing.create(upload_file=("empty.pdf", b""), tier="agentic", version="latest"),
        ):
            try:
                call()
            except BadRequestError as error:
                refusals.append(error.body["detail"])
        return refusals

    assert sdk.run(journey) == ["Uploaded file is empty."] * 2


def test_projects(sdk: OfficialSdk) -> None:
    """Ensure that the default project is found by both generations of the endpoint, in any spelling of its name."""

    def journey(client: Any) -> dict[str, Any]:
        (project,) = client.projects.list()
        (newer,) = client.v2_projects.list()
        named = [client.projects.list(project_name=name)[0].id for name in ("Default", "default")]
        file = client.files.create(file=("project.txt", b"x"), purpose="parse")
        return {
            "name": project.name,
            "default": project.is_default,
            "same": {project.id, newer.id, *named, client.projects.get(project.id).id, file.project_id}
            == {client.v2_projects.get(project.id).id},
            "newer by name": [found.id for found in client.v2_projects.list(name=project.name)] == [project.id],
            "scoped": client.files.retrieve(file.id, project_id=project.id).id == file.id,
            "organization": client.projects.list(organization_id=project.organization_id)[0].id == project.id,
        }

    assert sdk.run(journey) == {
        "name": "Default",
        "default": True,
        "same": True,
        "newer by name": True,
        "scoped": True,
        "organization": True,
    }


def test_a_wrong_key_is_refused(sdk_python: Path, tmp_path: Path) -> None:
    """Ensure that a server with an API key answers 401 to any other one."""

    def journey(client: Any) -> dict[str, Any]:
        from llama_cloud import AuthenticationError

        right = client.with_options(api_key="llx-the-right-one")
        refused = 0
        for call in (client.projects.list, client.parsing.list_versions, client.files.list):
            try:
                call()
            except AuthenticationError as error:
                refused += bool(error.body["detail"])
        return {"refused": refused, "accepted": len(right.projects.list())}

    with ServedCloud(tmp_path / "data", "--api-key-env", "THE_KEY", THE_KEY="llx-the-right-one") as cloud:
        official = OfficialSdk(sdk_python, cloud.base_url)
        try:
            assert official.run(journey) == {"refused": 3, "accepted": 1}
        finally:
            official.close()
