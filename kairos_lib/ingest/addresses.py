"""Which addresses may be asked for a video. Asks none itself.

An address is checked twice: as it was written, so that a plain mistake is answered at once, and by
the guard as what it came to after names were looked up and redirects followed. Only the second is a
protection; the first is a courtesy.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit, urlunsplit

from kairos_lib.errors import KairosError
from kairos_lib.names import quoted
from kairos_lib.parameters.ingest import IngestLimits

PORTS = (80, 443)
LONGEST_CHARS = 4096
INSTEAD = "download the video and name the file"
"""What a user can do about any address that may not be asked."""

_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that is assigned to hosts anywhere on the internet: the rest has a special meaning,
such as IPv4 addresses in another guise (`::ffff:0:0/96`, NAT64 `64:ff9b::/96`)."""
_WITHIN = tuple(
    ipaddress.ip_network(text)
    for text in (
        "192.88.99.0/24",  # relays of 6to4
        "2001::/23",  # protocols' own, Teredo among them
        "2001:db8::/32",  # examples
        "2002::/16",  # 6to4: an IPv4 address inside, which may be a private one
        "3fff::/20",  # examples
    )
)
"""What lies within the global addresses and is none of a public host."""


def shown(url: str) -> str:
    """An address as it may be printed: what follows the path is often a secret."""
    return quoted(url.partition("?")[0].partition("#")[0])


def checked(url: str, limits: IngestLimits, reachable: Collection[str] = ()) -> str:
    """Check an address as it was written.

    Args:
        url: The address.
        limits: Which hosts are allowed.
        reachable: See `fetching.fetched`.

    Returns:
        The address without its fragment: no server sees it, but yt-dlp takes orders from it.

    Raises:
        KairosError: It may not be asked, or is none.
    """
    parts, host, port = _parts(url)
    if port not in {*PORTS, *(int(place.rpartition(":")[2]) for place in reachable)}:
        raise KairosError(
            f"{shown(url)} names port {port}: videos are fetched from 80 and 443; {INSTEAD}"
        )
    literal = _literal(host.rstrip("."))
    why = address_refusal(literal, port, reachable) if literal else ""
    why = why or host_refusal(host, limits.hosts)
    if why:
        raise KairosError(f"{shown(url)}: {why}")
    return urlunsplit(parts._replace(fragment=""))


def _parts(url: str) -> tuple[SplitResult, str, int]:
    if len(url) > LONGEST_CHARS or not url.isprintable() or set(url) & set(" \\"):
        raise KairosError(
            f"{shown(url)} is not an address: spaces, backslashes and control characters are "
            f"written as %20 and the like, and {LONGEST_CHARS:,} characters are the most"
        )
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode(
            "ascii" if (parts.hostname or "").isascii() else "idna"
        )
        port = parts.port
    except ValueError as error:  # UnicodeError is one.
        raise KairosError(f"{shown(url)} is not an address: {error}") from None
    if parts.scheme not in ("http", "https"):
        raise KairosError(f"{shown(url)}: videos are fetched by http and https only; {INSTEAD}")
    if "@" in parts.netloc:
        # Not printed: it may be a password.
        raise KairosError(
            f"an address at {parts.hostname} has a user name in it: leave out what stands before "
            f"the @, or {INSTEAD}"
        )
    if not host or "%" in host.decode():
        raise KairosError(f"{shown(url)} names no host: write https://HOST/PATH")
    return parts, host.decode(), port or (443 if parts.scheme == "https" else 80)


def _literal(host: str) -> str:
    """The numeric address that a host is; empty for a name.

    As the C library reads it: `127.1`, `0x7f000001`, `0177.0.0.1` and `2130706433` are all one.
    """
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return ""


def host_refusal(host: str, hosts: Collection[str]) -> str:
    """Why a host may not be asked, as part of a line; empty if it may."""
    name = host.rstrip(".").lower()
    for allowed in hosts:
        if name == allowed or (allowed.startswith("*.") and name.endswith(allowed[1:])):
            return ""
    if not hosts:
        return ""
    return (
        f"{quoted(name)} is none of the hosts that may be asked ({', '.join(hosts)}): "
        f"add it to `hosts`, or {INSTEAD}"
    )


def address_refusal(host: str, port: int, reachable: Collection[str] = ()) -> str:
    """Why a numeric address may not be connected to, as part of a line; empty if it may.

    Args:
        host: The address. A name is refused: it would be looked up after the check.
        port: The port.
        reachable: Addresses with ports that may, whatever they are.
    """
    if f"{host}:{port}" in reachable:
        return ""
    try:
        public = _public(ipaddress.ip_address(host))
    except ValueError:
        public = False
    if not public:
        # The address is not told: it may be what a name stands for in somebody's own network.
        return f"it leads to no public address, and only those may be asked: {INSTEAD}"
    if port not in PORTS:
        return f"it leads to port {port}, and only 80 and 443 may be asked: {INSTEAD}"
    return ""


def _public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether it is a global unicast address that stands for no other."""
    if isinstance(address, ipaddress.IPv6Address) and (
        address.scope_id or address not in _GLOBAL_V6
    ):
        return False
    inside = any(address in network for network in _WITHIN if network.version == address.version)
    return address.is_global and not address.is_multicast and not inside
