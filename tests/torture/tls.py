"""T-24: TLS, redirects and proxies against real servers on loopback. The token may reach one server alone, and no
event may be delivered, or die, where the endpoint cannot be trusted.
"""

import os
import ssl
import subprocess
import warnings

import common
import cuts
from scripted import Scripted, read_request

TOKEN = "canary-t0ken"


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


class Authority:
    def __init__(self, folder):
        self.folder = folder
        self.file = folder.file("ca.pem")
        self.key = folder.file("ca.key")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.key, "-out", self.file,
                "-subj", "/CN=outbox test authority", "-days", "2")

    def issue(self, name, alternative, days="2", own=False):
        key, request, certificate = (self.folder.file(f"{name}.{end}") for end in ["key", "csr", "pem"])
        extensions = self.folder.file(f"{name}.ext")
        with open(extensions, "w") as file:
            file.write(f"subjectAltName={alternative}\n")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        signer = ["-signkey", key] if own else ["-CA", self.file, "-CAkey", self.key, "-CAcreateserial"]
        openssl("x509", "-req", "-in", request, "-out", certificate, "-days", days, "-extfile", extensions, *signer)
        return certificate, key


def wrapping(certificate, key, version=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if version is not None:
        warnings.simplefilter("ignore", DeprecationWarning)  # old versions are the point
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
    return lambda raw: context.wrap_socket(raw, server_side=True)


class Case:
    def __init__(self, folder):
        self.folder = folder
        self.failures = []
        self.count = 0

    def deliver(self, name, url, ca_file, wanted, trusted=(), others=(), environment=None):
        """`wanted`: delivered or not. Only `trusted` may have seen the token, and not `others`."""
        self.count += 1
        path = self.folder.file(f"{self.count}.db")
        subprocess.run([common.HOST, "migrate", path], check=True)
        cuts.enqueue(path, self.count)
        done = subprocess.run([common.HOST, "deliver", path, url, "--ca", ca_file], text=True, capture_output=True,
                              check=False, env={**os.environ, **(environment or {})}, timeout=60)
        is_delivered = f"delivered {cuts.EVENTS} remaining 0" in done.stdout
        if is_delivered != wanted:
            self.failures.append(f"{name}: {done.stdout.strip()} {done.stderr.strip()}")
        if " dead 0 " not in done.stdout and wanted:
            self.failures.append(f"{name}: an event died: {done.stdout.strip()}")
        for server in others:
            if any(TOKEN in head for head in server.heads):
                self.failures.append(f"{name}: the token was seen by another server")
        if wanted and not any(TOKEN in head for server in trusted for head in server.heads):
            self.failures.append(f"{name}: no server has seen the token")
        if TOKEN in done.stdout + done.stderr:
            self.failures.append(f"{name}: the token is in what was said")


def redirect(server, status, target):
    def script(connection):
        if read_request(connection, server.heads) is not None:
            head = f"HTTP/1.1 {status} Moved\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"
            connection.sendall(head.encode())
    return script


class Always(Scripted):
    """The same script for every connection."""

    def __init__(self, script, wrap=lambda connection: connection):
        self.always = script
        super().__init__(wrap)

    def serve_one(self, raw):
        self.script = self.always(self)
        super().serve_one(raw)


def close_at_once(_):
    return lambda connection: connection.close()


def certificates(case, authority):
    good = Scripted(wrapping(*authority.issue("good", "IP:127.0.0.1,DNS:localhost")))
    at_good = f"https://127.0.0.1:{good.port}/track"
    case.deliver("a good certificate", at_good, authority.file, True, [good])
    case.deliver("its name", f"https://localhost:{good.port}/track", authority.file, True, [good])
    unknown = Authority(case.folder.__class__())
    case.deliver("another authority", at_good, unknown.file, False)
    unknown.folder.__exit__()
    for name, made in {
        "another host": authority.issue("other", "DNS:other.example"),
        "another address": authority.issue("address", "IP:127.0.0.2"),
        "expired": authority.issue("expired", "IP:127.0.0.1", days="-1"),
        "signed by itself": authority.issue("own", "IP:127.0.0.1", own=True),
    }.items():
        server = Scripted(wrapping(*made))
        case.deliver(name, f"https://127.0.0.1:{server.port}/track", authority.file, False, others=[server])
    for version in [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1]:
        server = Scripted(wrapping(*authority.issue("old", "IP:127.0.0.1"), version))
        case.deliver(f"only {version.name}", f"https://127.0.0.1:{server.port}/track", authority.file, False,
                     others=[server])
    for version in [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]:
        server = Scripted(wrapping(*authority.issue("new", "IP:127.0.0.1"), version))
        case.deliver(f"only {version.name}", f"https://127.0.0.1:{server.port}/track", authority.file, True, [server])
    plain = Scripted()
    case.deliver("no TLS where TLS is expected", f"https://127.0.0.1:{plain.port}/track", authority.file, False,
                 others=[plain])
    closing = Always(close_at_once, wrapping(*authority.issue("closing", "IP:127.0.0.1")))
    case.deliver("closed after the handshake", f"https://127.0.0.1:{closing.port}/track", authority.file, False)
    return good


def redirects(case, authority):
    for status in [301, 302, 303, 307, 308]:
        # As trusted as the first one: libcurl would follow it there, were it told to.
        wrap = wrapping(*authority.issue("redirect", "IP:127.0.0.1"))
        other = Scripted(wrap)
        target = f"https://127.0.0.1:{other.port}/track"
        server = Always(lambda one, status=status, target=target: redirect(one, status, target), wrap)
        case.deliver(f"{status} to another server", f"https://127.0.0.1:{server.port}/track", authority.file, False,
                     others=[other])
        if other.heads:
            case.failures.append(f"{status}: the redirect was followed")


def environment(case, authority, good):
    proxy = Scripted()
    at = f"http://127.0.0.1:{proxy.port}"
    for name in ["https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"]:
        case.deliver(f"{name} and loopback", f"https://127.0.0.1:{good.port}/track", authority.file, True, [good],
                     [proxy], {name: at})
    keys = case.folder.file("keys")
    case.deliver("SSLKEYLOGFILE", f"https://127.0.0.1:{good.port}/track", authority.file, True, [good],
                 environment={"SSLKEYLOGFILE": keys})
    # libcurl obeys it and has no option against that: a limit that docs/security.md names.
    return os.path.exists(keys) and os.path.getsize(keys) > 0


def main():
    with common.Folder() as folder:
        case = Case(folder)
        authority = Authority(folder)
        good = certificates(case, authority)
        redirects(case, authority)
        has_keys = environment(case, authority, good)
    note = "note=libcurl_obeys_SSLKEYLOGFILE:_docs/security.md" if has_keys else ""
    common.finish(case.count, case.failures, "-", note)


if __name__ == "__main__":
    main()
