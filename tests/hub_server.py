"""A Hugging Face Hub on this machine: repositories in memory, behind the few addresses that are used."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Files = dict[str, bytes]


@dataclass
class Hub:
    """Repositories by name: each a list of commits, from the first to the last.

    `refused` maps a repository to a status and the error code of the Hub.
    """

    repos: dict[str, list[tuple[str, Files]]] = field(default_factory=dict)
    refused: dict[str, tuple[int, str]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    url: str = ""

    def commit(self, repo: str, files: Files) -> str:
        """Add files to a repository, as a new commit; return its name."""
        commits = self.repos.setdefault(repo, [])
        whole = (commits[-1][1] if commits else {}) | files
        sha = hashlib.sha1(repr((len(commits), sorted(whole.items()))).encode()).hexdigest()
        commits.append((sha, whole))
        return sha

    def find(self, repo: str, revision: str) -> tuple[str, Files] | None:
        """Return a commit by its name, or the last one of the main branch."""
        commits = self.repos[repo]
        return commits[-1] if revision == "main" else next((c for c in commits if c[0] == revision), None)


@contextmanager
def served(hub: Hub) -> Iterator[Hub]:
    """Serve a hub at `hub.url`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.hub.requests.append(path)
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(?:revision|tree)/([^/]+))?", path):
            commit = self.commit(found[1], found[2] or "main")
            if commit is not None:
                sha, files = commit
                listed = [
                    {"type": "file", "path": n, "size": len(d), "oid": _oid(d)} for n, d in files.items()
                ]
                siblings = [{"rfilename": n, "size": len(d), "blobId": _oid(d)} for n, d in files.items()]
                about = {"id": found[1], "sha": sha, "siblings": siblings}
                self.answer(json.dumps(listed if "/tree/" in path else about).encode())
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            commit = self.commit(found[1], found[2])
            if commit is not None:
                sha, files = commit
                data = files[found[3]]
                self.answer(data, {"ETag": f'"{_oid(data)}"', "X-Repo-Commit": sha})
        else:
            self.refuse(404, "EntryNotFound")

    def do_POST(self) -> None:
        self.hub.requests.append(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked.get('organization', 'me')}/{asked['name']}"
            self.hub.repos.setdefault(name, [])
            self.answer(json.dumps({"url": f"{self.hub.url}/{name}"}).encode())
        elif self.path == "/api/validate-yaml":
            self.answer(b'{"errors": [], "warnings": []}')
        elif "/preupload/" in self.path:
            files = [
                {"path": each["path"], "uploadMode": "regular", "shouldIgnore": False}
                for each in json.loads(body)["files"]
            ]
            self.answer(json.dumps({"files": files}).encode())
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", self.path):
            lines = [json.loads(line) for line in body.splitlines()]
            values = [line["value"] for line in lines if line["key"] == "file"]
            sha = self.hub.commit(found[1], {v["path"]: base64.b64decode(v["content"]) for v in values})
            self.answer(
                json.dumps(
                    {"commitOid": sha, "commitUrl": f"{self.hub.url}/{found[1]}/commit/{sha}"}
                ).encode()
            )

    def commit(self, repo: str, revision: str) -> tuple[str, Files] | None:
        """Return a commit; without it, answer with the error of the Hub."""
        if repo in self.hub.refused:
            return self.refuse(*self.hub.refused[repo])
        if repo not in self.hub.repos:
            return self.refuse(404, "RepoNotFound")
        return self.hub.find(repo, revision) or self.refuse(404, "RevisionNotFound")

    def refuse(self, status: int, code: str) -> None:
        self.answer(b"{}", {"X-Error-Code": code}, status)

    def answer(self, data: bytes, headers: dict[str, str] | None = None, status: int = 200) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _oid(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()
