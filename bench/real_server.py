"""The real server: `rclone serve s3 :memory:`, plain or over TLS with a certificate of our own.

True here: it listens on 127.0.0.1 alone, on a free port; it checks signatures and really stores objects;
what it holds is read back by a listing (key, size, MD5 as ETag) and compared with the plan of the files.
The authority that signs the certificate lives for one scenario, in a temporary directory, and is trusted by
nobody else.
Not done here: requests are not counted, for this server does not tell.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bench.processes import Background, BenchError, free_port, wait_for_port
from bench.signed_requests import Client
from bench.trees import PlannedFile

KEY, SECRET = "benchaccesskey", "benchsecretkey"


class RealServer:
    """One running `rclone serve s3`, empty but for one bucket."""

    def __init__(self, rclone: Path, directory: Path, bucket: str, tls: Path | None = None) -> None:
        """Start it; `tls` is a directory that `make_certificates` has filled."""
        self.port = free_port()
        self.kind = "rclone serve s3 :memory:" + (", TLS" if tls else "")
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._ca_file = tls / "ca.pem" if tls else None
        command = [
            str(rclone),
            "serve",
            "s3",
            "--addr",
            f"127.0.0.1:{self.port}",
            "--auth-key",
            f"{KEY},{SECRET}",
        ]
        command += ["--config", "/dev/null", "--log-level", "ERROR"]
        if tls:
            command += ["--cert", str(tls / "server.pem"), "--key", str(tls / "server.key")]
        self._start([*command, ":memory:"], directory, bucket)

    def _start(self, command: Sequence[str], directory: Path, bucket: str) -> None:
        directory.mkdir(parents=True)
        self._process = Background(command, directory / "output.log", {"HOME": str(directory)})
        try:
            wait_for_port(self.port, self._process)
            client = self._client()
            client.create_bucket(bucket)
            client.close()
        except BaseException:
            self.stop()
            raise

    def problems(self, files: Sequence[PlannedFile], size: int, bucket: str, prefix: str) -> list[str]:
        """Compare what the bucket holds with the plan; an empty list means that all is there, whole."""
        client = self._client()
        stored = client.list_objects(bucket, prefix + "/")
        client.close()
        expected = {f"{prefix}/{file.path}": file for file in files}
        missing = [key for key in expected if key not in stored]
        # A tool may find out first what the server does, with an object of its own under a name that says so.
        strange = [key for key in stored if key not in expected and "/.outhaul-probe" not in key]
        other = [
            key
            for key, item in stored.items()
            if key in expected and (item.size, item.etag) != (size, expected[key].md5)
        ]
        found = (("missing", missing), ("unexpected", strange), ("not the bytes that were sent", other))
        return [f"{len(keys)} objects {what}, for example {keys[0]}" for what, keys in found if keys]

    def cpu_seconds(self) -> float:
        """Return the CPU time that the server has used so far."""
        return self._process.cpu_seconds()

    def stop(self) -> None:
        """End the server, by its own process id."""
        self._process.stop()

    def _client(self) -> Client:
        return Client(self.url, KEY, SECRET, self._ca_file)


class MotoServer(RealServer):
    """One running `moto_server`, empty but for one bucket: it checks no signature, and is slow."""

    def __init__(self, program: Path, directory: Path, bucket: str) -> None:
        """Start it."""
        self.port = free_port()
        self.kind = "moto_server"
        self.url = f"http://127.0.0.1:{self.port}"
        self._ca_file = None
        self._start([str(program), "-H", "127.0.0.1", "-p", str(self.port)], directory, bucket)


def make_certificates(directory: Path) -> None:
    """Fill `directory` with ca.pem, server.pem and server.key (for 127.0.0.1), valid for two days.

    Raises BenchError where there is no `openssl` program.
    """
    openssl = shutil.which("openssl")
    if openssl is None:
        raise BenchError("TLS needs the openssl program to make a certificate; it is not installed")
    directory.mkdir(parents=True)
    fresh = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    authority = ["req", "-x509", *fresh, "-days", "2", "-subj", "/CN=outhaul bench authority"]
    authority += ["-keyout", "ca.key", "-out", "ca.pem"]
    authority += ["-addext", "keyUsage=critical,keyCertSign", "-addext", "basicConstraints=critical,CA:true"]
    request = ["req", *fresh, "-subj", "/CN=127.0.0.1", "-keyout", "server.key", "-out", "server.csr"]
    extensions = "subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:false\nextendedKeyUsage=serverAuth\n"
    (directory / "extensions").write_text(extensions)
    sign = ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"]
    sign += ["-days", "2", "-extfile", "extensions", "-out", "server.pem"]
    for arguments in (authority, request, sign):
        done = subprocess.run(
            [openssl, *arguments], cwd=directory, capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode:
            raise BenchError(f"openssl {arguments[0]} failed: {done.stderr.strip()[-300:]}")
