"""What a repository on the hub holds: names, sizes, digests, addresses. huggingface-hub asks for it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import HfApi, constants, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

from engine.messages import EngineFault, ErrorKind
from engine.store.troubles import fault_of_status, portal, proxy, unreachable, unsafe

_TIMEOUT = 20.0  # seconds until a hub that says nothing is given up
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHA1 = re.compile(r"[0-9a-f]{40}")

# The library reads its environment once, when it is imported, and by then it may have been. Without
# this it also asks the hub for a list of programs that might be calling it.
constants.HF_HUB_DISABLE_TELEMETRY = True


@dataclass(frozen=True, kw_only=True)
class Hub:
    """Where models come from, and who asks. The token goes to the endpoint's own host only.

    Raises EngineFault for an endpoint that is no address.
    """

    endpoint: str = "https://huggingface.co"
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.endpoint)
            is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
            is_address = is_address and parts.port != 0
        except ValueError:
            is_address = False
        if not is_address:
            raise EngineFault(
                ErrorKind.BAD_REQUEST,
                "This is not the address of a hub.",
                "Addresses look like https://huggingface.co.",
                self.endpoint,
            )

    @property
    def host(self) -> str:
        return urlsplit(self.endpoint).hostname or self.endpoint

    def page(self, repo: str) -> str:
        return f"{self.endpoint.rstrip('/')}/{repo}"


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file and what its bytes must be: `sha256` where it is known, else `git_sha1`."""

    name: str  # with "/" between folders
    size: int  # bytes
    sha256: str = ""  # hexadecimal, of the bytes
    git_sha1: str = ""  # hexadecimal, of a git blob: "blob SIZE\0" and the bytes
    repo: str = ""  # where it comes from another repository than the listing's
    commit: str = ""  # of that one

    @property
    def digest(self) -> str:
        return self.sha256 or self.git_sha1


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The files of one repository at one commit."""

    repo: str
    commit: str
    files: tuple[RemoteFile, ...]
    licence: str = ""
    gated: bool = False  # for those alone who have asked for it on its page

    def address(self, hub: Hub, file: RemoteFile) -> str:
        """The resolve address: the hub answers with the bytes or says where they are."""
        return hf_hub_url(
            file.repo or self.repo,
            file.name,
            revision=file.commit or self.commit,
            endpoint=hub.endpoint.rstrip("/"),
        )


def list_files(hub: Hub, repo: str, revision: str = "main") -> Listing:
    """Asks the hub what `repo` holds at `revision`: a branch, a tag or a commit.

    Raises EngineFault: no such repository, one that asks for a permission, no hub to be reached.
    """
    try:
        api = HfApi(endpoint=hub.endpoint.rstrip("/"), token=hub.token or False)
        info = api.model_info(repo, revision=revision, files_metadata=True, timeout=_TIMEOUT)
        files = tuple(
            RemoteFile(
                name=each.rfilename,
                size=each.lfs.size if each.lfs else -1 if each.size is None else each.size,
                sha256=each.lfs.sha256 if each.lfs else "",
                git_sha1="" if each.lfs else each.blob_id or "",
            )
            for each in info.siblings or ()
        )
        tags = [tag for tag in info.tags or () if tag.startswith("license:")]
        listing = Listing(
            repo=repo,
            commit=info.sha or "",
            files=files,
            licence=tags[0].removeprefix("license:") if tags else "",
            gated=bool(info.gated),
        )
    except HFValidationError as fault:
        raise EngineFault(
            ErrorKind.BAD_REQUEST,
            "This is not the name of a model on the hub.",
            "Names look like owner/model.",
            str(fault),
        ) from fault
    except HfHubHTTPError as fault:
        raise fault_of_status(hub, repo, fault.response.status_code, str(fault)) from fault
    except httpx2.ProxyError as fault:
        raise proxy(fault) from fault
    except (httpx2.HTTPError, httpx2.InvalidURL, OfflineModeIsEnabled) as fault:
        raise unsafe(hub.host, fault) or unreachable(hub.host, fault) from fault
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
    ) as fault:  # no JSON, or of another kind
        raise portal(hub.host, f"{type(fault).__name__}: {fault}") from fault
    if not _SHA1.fullmatch(listing.commit) or not all(map(_is_whole, listing.files)):
        raise portal(hub.host, "the listing lacks a commit, a size or a digest")
    return listing


def _is_whole(file: RemoteFile) -> bool:
    return (
        isinstance(file.size, int)
        and file.size >= 0
        and bool(_SHA256.fullmatch(file.sha256) or _SHA1.fullmatch(file.git_sha1))
    )
