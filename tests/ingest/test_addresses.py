"""An address that may not be asked is refused as it is written, in one line."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from kairos_lib.errors import KairosError
from kairos_lib.ingest.addresses import address_refusal, checked
from kairos_lib.parameters.ingest import IngestLimits

ANY = IngestLimits()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/a.mp4",
        "http://127.1/a.mp4",
        "http://127.0.0.1./a.mp4",
        "http://2130706433/a.mp4",
        "http://0x7f000001/a.mp4",
        "http://0x7f.0.0.1/a.mp4",
        "http://0177.0.0.1/a.mp4",
        "http://①②⑦.⓪.⓪.①/a.mp4",
        "http://0.0.0.0/a.mp4",
        "http://0/a.mp4",
        "http://10.0.0.1/a.mp4",
        "http://192.168.1.1/a.mp4",
        "http://100.64.0.1/a.mp4",
        "http://169.254.169.254/latest/meta-data/",
        "http://224.0.0.1/a.mp4",
        "http://240.0.0.1/a.mp4",
        "http://255.255.255.255/a.mp4",
        "http://192.88.99.1/a.mp4",
        "http://[::1]/a.mp4",
        "http://[::]/a.mp4",
        "http://[::ffff:127.0.0.1]/a.mp4",
        "http://[::ffff:7f00:1]/a.mp4",
        "http://[::127.0.0.1]/a.mp4",
        "http://[64:ff9b::7f00:1]/a.mp4",
        "http://[2002:7f00:1::]/a.mp4",
        "http://[2001::1]/a.mp4",
        "http://[2606:2800:220:1:248:1893:25c8:1946%25eth0]/a.mp4",
        "http://[5f00::1]/a.mp4",
        "http://[fe80::1]/a.mp4",
        "http://[fe80::1%25eth0]/a.mp4",
        "http://[fd00::1]/a.mp4",
        "http://[ff02::1]/a.mp4",
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "ftp://example.org/a.mp4",
        "gopher://example.org/",
        "data://video/mp4;base64,AAAA",
        "ytsearch://cats",
        "http://me:secret@example.org/a.mp4",
        "http://example.org@127.0.0.1/a.mp4",
        "http://example.org\\@127.0.0.1/a.mp4",
        "http://example.org /a.mp4",
        "http://example.org/a\n.mp4",
        "http://%31%32%37.0.0.1/a.mp4",
        "http://example.org:22/a.mp4",
        "http://example.org:8080/a.mp4",
        "http://example.org:x/a.mp4",
        "http://[::1/a.mp4",
        "http:///a.mp4",
        "https://",
        "http://example.org/" + "a" * 5000,
    ],
)
def test_it_may_not_be_asked(url: str) -> None:
    with pytest.raises(KairosError) as raised:
        checked(url, ANY)
    line = str(raised.value)
    assert "\n" not in line and "secret" not in line and len(line) < 300


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a.mp4",
        "HTTPS://Example.org:443/watch?v=1&list=2",
        "http://example.org:80/a%20b.mp4",
        "https://bücher.example/a.mp4",
        "http://93.184.216.34/a.mp4",
        "http://[2606:2800:220:1:248:1893:25c8:1946]/a.mp4",
    ],
)
def test_a_public_one_may(url: str) -> None:
    assert checked(url, ANY) == url.replace("HTTPS", "https")


def test_what_yt_dlp_would_obey_behind_the_hash_is_cut_off() -> None:
    assert (
        checked("https://example.org/a?b#__youtubedl_smuggle=x", ANY) == "https://example.org/a?b"
    )


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("example.org", True),
        ("EXAMPLE.org.", True),
        ("cdn.films.example", True),
        ("a.b.films.example", True),
        ("films.example", False),
        ("notfilms.example", False),
        ("films.example.evil.example", False),
        ("www.example.org", False),
        ("example.org.evil.example", False),
        ("93.184.216.34", False),
    ],
)
def test_hosts_are_allowed_by_name_or_all_below_one(host: str, allowed: bool) -> None:
    limits = IngestLimits(hosts=("Example.org", "*.films.example"))
    if allowed:
        checked(f"https://{host}/a.mp4", limits)
    else:
        with pytest.raises(KairosError, match="none of the hosts that may be asked"):
            checked(f"https://{host}/a.mp4", limits)


@pytest.mark.parametrize("host", ["*", "*.", "", "https://example.org", "a b", "*.*.org", "[::1]"])
def test_a_pattern_that_would_allow_something_else_is_refused(host: str) -> None:
    with pytest.raises(ValidationError):
        IngestLimits(hosts=(host,))


@pytest.mark.parametrize("host", ["localhost", "example.org", "127.1", "", "<broadcast>", "::1%lo"])
def test_only_what_needs_no_looking_up_may_be_connected_to(host: str) -> None:
    assert "no public address" in address_refusal(host, 80)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.ip_addresses(v=4))
@example("169.254.169.254")
@example("93.184.216.34")
def test_an_address_in_another_guise_is_never_public(address: object) -> None:
    # Whatever it is by itself: what would be reached is decided by somebody's gateway.
    for guise in (f"::ffff:{address}", f"::{address}", f"64:ff9b::{address}"):
        assert address_refusal(guise, 80)


def test_what_is_reachable_for_a_test_is_that_place_alone() -> None:
    assert not address_refusal("127.0.0.1", 8080, ["127.0.0.1:8080"])
    assert address_refusal("127.0.0.1", 80, ["127.0.0.1:8080"])
    assert address_refusal("127.0.0.2", 8080, ["127.0.0.1:8080"])
    assert address_refusal("93.184.216.34", 8080, ["127.0.0.1:8080"])
