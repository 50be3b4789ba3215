"""TLS and the proxy in mailsync.yaml: what is read, and what is wrong with it."""

from pathlib import Path

import pytest

from mailsync.config.outside import split_proxy
from mailsync.config.site import ListenTls, ServerTls, read_site

PIN = "0123456789abcdef" * 4
COLONS = ":".join(PIN[at : at + 2] for at in range(0, 64, 2)).upper()


@pytest.fixture
def read(tmp_path):
    """The site with further keys of `server` and `listen`, and its faults without the file's folder."""

    def done(server="", listen=""):
        path = tmp_path / "mailsync.yaml"
        path.write_text(
            f"server: {{address: 'vault.example.com:5000', key: k, login: l{server}}}\n"
            f"listen: {{address: '[::1]:5000', store: 'sqlite:s', keys: r{listen}}}\nroutes: {{}}\n"
        )
        site, faults = read_site(path)
        return site, [str(fault).replace(f"{tmp_path}/", "") for fault in faults if "routes" not in fault.text]

    return done


def test_a_server_says_who_may_come_by_tls_and_with_which_certificate(read, tmp_path):
    site, faults = read(listen=", tls: {mode: allowed, certificate: tls/chain.pem, key: /etc/ssl/server.key}")
    assert faults == []
    assert site.listen.tls == ListenTls("allowed", tmp_path / "tls/chain.pem", Path("/etc/ssl/server.key"))


@pytest.mark.parametrize("text", ["", ", tls: {mode: off}", ", tls: {mode: off, certificate: c, key: k}"])
def test_tls_is_off_unless_it_is_on(read, text):
    site, faults = read(listen=text)
    assert (site.listen.tls, site.server.tls, site.server.proxy, faults) == (None, None, "", [])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mode: required, ca: ca.pem", "ca.pem"),
        (f"mode: required, pinned: '{PIN}'", PIN),
        (f"mode: required, pinned: '{COLONS}'", PIN),
        ("mode: required", ""),
        ("mode: off, ca: ca.pem", None),
    ],
)
def test_a_client_says_whose_certificate_it_believes(read, tmp_path, text, found):
    site, faults = read(server=f", tls: {{{text}}}")
    assert faults == []
    if found is None:
        assert site.server.tls is None
    elif found == "ca.pem":
        assert site.server.tls == ServerTls(tmp_path / "ca.pem", "")
    else:
        assert site.server.tls == ServerTls(None, found)


@pytest.mark.parametrize(
    ("server", "listen", "fault"),
    [
        (", tls: {ca: c}", "", '"mode" is missing'),
        (", tls: {mode: allowed}", "", '"allowed" is not a value of "mode"'),
        ("", ", tls: {mode: must, certificate: c, key: k}", '"must" is not a value of "mode"'),
        ("", ", tls: {mode: required}", '"certificate" is missing'),
        (", tls: {mode: required, pinned: abc}", "", "not the SHA-256 of a certificate"),
        (f", tls: {{mode: required, pinned: {PIN}, ca: c}}", "", '"pinned" and "ca" exclude each other'),
        (", tls: {mode: required, cert: c}", "", 'unknown key "cert" in tls'),
        (", proxy: 'proxy.example.com:3128'", "", '"proxy" is neither http://HOST:PORT nor environment'),
    ],
)
def test_what_is_wrong_is_told(read, server, listen, fault):
    assert any(fault in told for told in read(server, listen)[1])


def test_a_fault_of_a_proxys_url_does_not_show_its_password(read):
    _, (told,) = read(server=", proxy: 'https://me:w0rd@proxy.example.com:3128'")
    assert "w0rd" not in told


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://proxy.example.com:3128", ("proxy.example.com:3128", "")),
        ("HTTP://proxy.example.com:3128/", ("proxy.example.com:3128", "")),
        ("http://me:p%40ss@[::1]:8080", ("[::1]:8080", "me:p%40ss")),
        ("http://me:a@b@proxy.example.com:1", ("proxy.example.com:1", "me:a@b")),
        ("https://proxy.example.com:3128", None),
        ("http://proxy.example.com", None),
        ("http://proxy.example.com:3128/path", None),
        ("proxy.example.com:3128", None),
    ],
)
def test_a_proxys_url_is_split(url, parts):
    assert split_proxy(url) == parts


def test_a_site_keeps_the_url_as_it_stands(read):
    assert read(server=", proxy: environment")[0].server.proxy == "environment"
    assert (
        read(server=", proxy: 'http://me:x@proxy.example.com:1'")[0].server.proxy == "http://me:x@proxy.example.com:1"
    )
