"""A Hub of one's own: as much of its HTTP API as `huggingface_hub` asks for models, from memory."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

TOKEN = "hf_of_the_stand_in"


class StandIn(ThreadingHTTPServer):
    """Models as {name: {commit: {path: bytes}}}; large files go by way of LFS, as there.

    Attributes:
        commits: name -> its commits, oldest first; a branch or tag -> one of them is in ``refs``.
        asked: "METHOD path" of every request.
        private: the names that were made for their owner alone.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.commits: dict[str, dict[str, dict[str, bytes]]] = {}
        self.refs: dict[str, dict[str, str]] = {}
        self.private: set[str] = set()
        self.large: dict[str, bytes] = {}
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def add(self, name: str, files: dict[str, bytes]) -> str:
        commits = self.commits.setdefault(name, {})
        before = next(reversed(commits.values()), {})
        commit = hashlib.sha1(f"{name}{len(commits)}".encode()).hexdigest()
        commits[commit] = {**before, **files}
        self.refs.setdefault(name, {})["main"] = commit
        return commit


def is_large(path: str) -> bool:
    return path.endswith((".onnx", ".safetensors"))


class Handler(BaseHTTPRequestHandler):
    server: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        path = unquote(urlsplit(self.path).path)
        if found := re.fullmatch(r"/api/models/(\w+/\w+)(?:/revision/(.+))?", path):
            self.describe(found[1], found[2] or "main")
        elif found := re.fullmatch(r"/api/models/(\w+/\w+)/tree/([^/]+)", path):
            self.list(found[1], found[2])
        elif found := re.fullmatch(r"/(\w+/\w+)/resolve/([^/]+)/(.+)", path):
            self.give(*found.groups())
        else:
            self.answer(404, {"error": f"the stand-in knows no {path}"})

    do_HEAD = do_GET

    def do_POST(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = urlsplit(self.path).path
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.answer(401, {"error": "log in"})
        elif path == "/api/repos/create":
            self.create(json.loads(body))
        elif path == "/api/validate-yaml":
            self.answer(200, {"warnings": [], "errors": []})
        elif re.fullmatch(r"/api/models/\w+/\w+/preupload/main", path):
            modes = {True: "lfs", False: "regular"}
            files = [file["path"] for file in json.loads(body)["files"]]
            told = [{"path": file, "uploadMode": modes[is_large(file)], "shouldIgnore": False} for file in files]
            self.answer(200, {"files": told})
        elif path.endswith(".git/info/lfs/objects/batch"):
            wanted = json.loads(body)["objects"]
            upload = [
                {**one, "actions": {"upload": {"href": f"{self.server.url}/large/{one['oid']}"}}} for one in wanted
            ]
            self.answer(200, {"transfer": "basic", "objects": upload})
        elif found := re.fullmatch(r"/api/models/(\w+/\w+)/commit/main", path):
            self.commit(found[1], [json.loads(line) for line in body.splitlines()])
        else:
            self.answer(404, {"error": f"the stand-in knows no {path}"})

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        oid = self.path.rpartition("/")[2]
        if hashlib.sha256(content).hexdigest() == oid:
            self.server.large[oid] = content
        self.answer(200 if oid in self.server.large else 400, {})

    def create(self, asked: dict[str, object]) -> None:
        name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else str(asked["name"])
        new = name not in self.server.commits
        if new:
            self.server.add(name, {".gitattributes": b""})
            if asked.get("private") or asked.get("visibility") == "private":
                self.server.private.add(name)
        self.answer(200 if new else 409, {"url": f"{self.server.url}/{name}", "error": "it is there"})

    def commit(self, name: str, lines: list[dict[str, dict[str, str]]]) -> None:
        files = {}
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.large[value["oid"]]
        commit = self.server.add(name, files)
        self.answer(200, {"commitUrl": f"{self.server.url}/{name}/commit/{commit}", "commitOid": commit})

    def resolve(self, name: str, revision: str) -> str | None:
        """The commit; None once the request was answered, as there is none."""
        if name not in self.server.commits:
            self.answer(404, {"error": "no such model"}, {"X-Error-Code": "RepoNotFound"})
            return None
        commit = self.server.refs[name].get(revision, revision)
        if commit not in self.server.commits[name]:
            self.answer(404, {"error": "no such revision"}, {"X-Error-Code": "RevisionNotFound"})
            return None
        return commit

    def describe(self, name: str, revision: str) -> None:
        if commit := self.resolve(name, revision):
            files = [{"rfilename": path} for path in self.server.commits[name][commit]]
            self.answer(200, {"id": name, "sha": commit, "private": name in self.server.private, "siblings": files})

    def list(self, name: str, revision: str) -> None:
        if commit := self.resolve(name, revision):
            tree = []
            for path, content in self.server.commits[name][commit].items():
                sha = hashlib.sha256(content).hexdigest()
                large = {"oid": sha, "size": len(content), "pointerSize": 130} if is_large(path) else None
                entry = {"type": "file", "path": path, "size": len(content), "oid": sha[:40]}
                tree.append(entry | ({"lfs": large} if large else {}))
            self.answer(200, tree)

    def give(self, name: str, revision: str, path: str) -> None:
        if not (commit := self.resolve(name, revision)):
            return
        content = self.server.commits[name][commit].get(path)
        if content is None:
            self.answer(404, {"error": "no such file"}, {"X-Error-Code": "EntryNotFound"})
            return
        sha = hashlib.sha256(content).hexdigest()
        headers = {"ETag": f'"{sha if is_large(path) else sha[:40]}"', "X-Repo-Commit": commit}
        self.answer(200, content, headers)

    def answer(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
