from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from veo_async._base.urls import (
    MAX_LENGTH,
    Address,
    AddressError,
    may_connect,
    next_hop,
    read_base_url,
    read_file_address,
    shown,
)
from veo_async.errors import InvalidRequestError

LOOPBACK_HOSTS = [
    "localhost",
    "LOCALHOST",
    "localhost.",
    "api.localhost",
    "127.0.0.1",
    "127.0.0.1.",
    "127.255.255.254",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0X7F.0x0.0.0x1",
    "0177.0.0.1",
    "017700000001",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
]
INSIDE_HOSTS = [
    "0",
    "0x",
    "0.0.0.0",
    "10.0.0.1",
    "012.1",
    "100.64.0.1",
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "172.16.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "3232235777",
    "198.18.0.1",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::ffff:10.0.0.1]",
    "[::7f00:1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::10.0.0.1]",
    "[64:ff9b:1::1]",
    "[2002:7f00:1::]",
    "[2002:a00:1::1]",
    "[2001::1]",
    "[2001:db8::1]",
    "[3fff::1]",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[100::1]",
    "[4000::1]",
]
UNREADABLE = [
    None,
    b"https://cdn.example/x",
    "",
    "x.mp4",
    "/x.mp4",
    "//cdn.example/x",
    "https:cdn.example/x",
    "https:/cdn.example/x",
    "https://",
    "https:///x",
    "ftp://cdn.example/x",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "https://user@cdn.example/",
    "https://user:secret@cdn.example/",
    "https://@cdn.example/",
    "https://cdn.example\\@127.0.0.1/",
    "https://cdn.example/a b",
    "https://cdn.example/\t",
    "https://cdn.exa\nmple/",
    "https://cdn.example/\x00",
    " https://cdn.example/",
    "https://cdn.example:0/",
    "https://cdn.example:65536/",
    "https://cdn.example:443:443/",
    "https://cdn.example:x/",
    "https://cdn..example/",
    "https://./",
    "https://localhost../",
    "https://%6cocalhost/",
    "https://1\N{FULLWIDTH DIGIT TWO}7.0.0.1/",
    "https://cdn。example/",
    "https://bücher.example/",
    "https://[::1/",
    "https://::1/",
    "https://[::1]x/",
    "https://[fe80::1%25eth0]/",
    "https://[1.2.3.4]/",
    "https://[::g]/",
    "https://1.2.3.4.5/",
    "https://256.1.1.1/",
    "https://1.2.3.256/",
    "https://1.2.65536/",
    "https://4294967296/",
    "https://08.1.1.1/",
    "https://a.b.1/",
    "https://1_0.1/",
    "https://-.0xzz.1/",
    "https://cdn.example/\ud800",
    f"https://{'a' * 64}.example/",
    f"https://{'.'.join(['a' * 63] * 5)}/",
    f"https://cdn.example/{'a' * MAX_LENGTH}",
]


@pytest.mark.parametrize("host", LOOPBACK_HOSTS)
def test_this_machine_is_recognised_in_every_spelling(host: str) -> None:
    """This machine is refused unless the API is on it; then it needs no TLS."""
    for scheme in ("http", "https"):
        url = f"{scheme}://{host}:8000/x.mp4"

        with pytest.raises(AddressError, match="private or reserved"):
            read_file_address(url, loopback_ok=False)

        assert read_file_address(url, loopback_ok=True).scope == "loopback"


@pytest.mark.parametrize("host", INSIDE_HOSTS)
@pytest.mark.parametrize("loopback_ok", [False, True])
def test_private_and_reserved_addresses_are_refused_in_every_spelling(
    host: str, loopback_ok: bool
) -> None:
    """A local API is no reason to reach into the network around it."""
    with pytest.raises(AddressError, match="private or reserved"):
        read_file_address(f"https://{host}/x.mp4", loopback_ok=loopback_ok)


@pytest.mark.parametrize("text", UNREADABLE)
@pytest.mark.parametrize("loopback_ok", [False, True])
def test_what_parsers_could_disagree_about_is_refused(text: object, loopback_ok: bool) -> None:
    """Only what has one meaning is read; the refusal never echoes the address."""
    with pytest.raises(AddressError) as caught:
        read_file_address(text, loopback_ok=loopback_ok)

    assert "secret" not in str(caught.value)
    assert "example" not in str(caught.value)


@pytest.mark.parametrize(
    "text, canonical",
    [
        ("https://cdn.example/x.mp4", "https://cdn.example/x.mp4"),
        ("HTTPS://CDN.Example./x.MP4", "https://cdn.example/x.MP4"),
        ("https://cdn.example", "https://cdn.example/"),
        ("https://cdn.example:/x", "https://cdn.example/x"),
        ("https://cdn.example:0443/x", "https://cdn.example:443/x"),
        ("https://cdn.example?a=b", "https://cdn.example/?a=b"),
        ("https://cdn.example/x?sig=a%2Fb+c&d#part", "https://cdn.example/x?sig=a%2Fb+c&d"),
        ("https://cdn.example/a@b:c//d", "https://cdn.example/a@b:c//d"),
        ("https://cdn.example/é?é", "https://cdn.example/%C3%A9?%C3%A9"),
        ("https://my_bucket.s3.example/x", "https://my_bucket.s3.example/x"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("https://localhost.example/", "https://localhost.example/"),
        ("https://127.0.0.1.example/", "https://127.0.0.1.example/"),
        ("https://8.8.8.8/", "https://8.8.8.8/"),
        ("https://0x8080808/", "https://8.8.8.8/"),
        ("https://8.8.2056/", "https://8.8.8.8/"),
        ("https://192.0.1.1/", "https://192.0.1.1/"),
        ("https://[2606:4700:0:0::1111]:8443/", "https://[2606:4700::1111]:8443/"),
        ("https://[::ffff:8.8.8.8]/", "https://[::ffff:808:808]/"),
        ("https://[64:ff9b::8.8.8.8]/", "https://[64:ff9b::808:808]/"),
        ("https://[2002:808:808::1]/", "https://[2002:808:808::1]/"),
    ],
)
def test_public_https_addresses_are_written_in_one_form(text: str, canonical: str) -> None:
    """The parsed address is written, and parsing that again changes nothing."""
    address = read_file_address(text, loopback_ok=False)

    assert address.scope == "public"
    assert read_file_address(canonical, loopback_ok=False) == address
    assert str(address).replace("::ffff:8.8.8.8", "::ffff:808:808") == canonical


@pytest.mark.parametrize("loopback_ok", [False, True])
def test_another_machine_always_needs_tls(loopback_ok: bool) -> None:
    """A local API is no reason to fetch from the internet in the clear."""
    with pytest.raises(AddressError, match="https"):
        read_file_address("http://cdn.example/x.mp4", loopback_ok=loopback_ok)


@pytest.mark.parametrize(
    "text, canonical",
    [
        ("https://api.acedata.cloud", "https://api.acedata.cloud"),
        ("https://api.acedata.cloud/", "https://api.acedata.cloud"),
        ("  https://API.acedata.cloud/v1//\n", "https://api.acedata.cloud/v1"),
        ("https://10.0.0.7:8443/veo", "https://10.0.0.7:8443/veo"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("http://veo.localhost", "http://veo.localhost"),
        ("http://127.1", "http://127.0.0.1"),
    ],
)
def test_a_base_url_ends_without_a_slash(text: str, canonical: str) -> None:
    """The base URL is the user's choice: https to anywhere, http to this machine."""
    assert str(read_base_url(text)) == canonical


@pytest.mark.parametrize(
    "text, problem",
    [
        ("http://api.acedata.cloud", "https"),
        ("http://10.0.0.1", "https"),
        ("http://0.0.0.0:8000", "https"),
        ("http://user:secret@127.0.0.1", "password"),
        ("https://user:secret@api.acedata.cloud", "password"),
        ("https://api.acedata.cloud?token=secret", "query"),
        ("https://api.acedata.cloud?", "query"),
        ("https://api.acedata.cloud/#secret", "fragment"),
        ("api.acedata.cloud", "complete"),
        ("", "complete"),
        ("https://sec ret", "white space"),
        (None, "must be a URL"),
        (42, "must be a URL"),
    ],
)
def test_an_unusable_base_url_is_named_and_not_repeated(text: object, problem: str) -> None:
    """The error names both ways to set it, and echoes nothing of what may be a secret."""
    with pytest.raises(InvalidRequestError, match=problem) as caught:
        read_base_url(text)

    assert caught.value.field == "base_url"
    assert "ACEDATACLOUD_API_BASE_URL" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


CDN = read_file_address("https://cdn.example/a/b?c", loopback_ok=False)
LOCAL = read_file_address("http://127.0.0.1:8000/a/b", loopback_ok=True)


@pytest.mark.parametrize(
    "current, location, target",
    [
        (CDN, "d", "https://cdn.example/a/d"),
        (CDN, "/d?e#f", "https://cdn.example/d?e"),
        (CDN, "?e", "https://cdn.example/a/b?e"),
        (CDN, "../../../d", "https://cdn.example/d"),
        (CDN, "//other.example/d", "https://other.example/d"),
        (CDN, "https://other.example:8443/d", "https://other.example:8443/d"),
        (LOCAL, "/d", "http://127.0.0.1:8000/d"),
        (LOCAL, "https://cdn.example/d", "https://cdn.example/d"),
    ],
)
def test_redirects_are_resolved_against_their_hop(
    current: Address, location: str, target: str
) -> None:
    """RFC 9110 section 10.2.2: a Location may be relative to the address that answered."""
    assert str(next_hop(current, location, loopback_ok=True)) == target


@pytest.mark.parametrize(
    "current, location, problem",
    [
        (CDN, "http://cdn.example/d", "https"),
        (CDN, "http://127.0.0.1/d", "back to http"),
        (CDN, "https://10.0.0.1/d", "private"),
        (CDN, "//169.254.169.254/latest", "private"),
        (CDN, "https://user:secret@cdn.example/", "password"),
        (CDN, "file:///etc/passwd", "complete"),
        (CDN, "data:video/mp4,x", "complete"),
        (CDN, "/\\127.0.0.1/", "backslash"),
        (CDN, "\thttps://cdn.example/", "control character"),
        (CDN, "https://[x", "no valid host"),
        (CDN, "https:///other.example/d", "no valid host"),
        (CDN, "///other.example/d", "no valid host"),
        (CDN, "https:d", "complete"),
        (LOCAL, "http://10.0.0.1/", "private"),
        (LOCAL, "http://cdn.example/", "https"),
    ],
)
def test_every_hop_is_judged_again(current: Address, location: str, problem: str) -> None:
    """A redirect leads nowhere that the first address could not, and never back to http."""
    with pytest.raises(AddressError, match=f"redirects to one that .*{problem}"):
        next_hop(current, location, loopback_ok=True)


@pytest.mark.parametrize(
    "ip, public, loopback",
    [
        ("8.8.8.8", True, False),
        ("2606:4700::1111", True, False),
        ("64:ff9b::808:808", True, False),
        ("127.0.0.1", False, True),
        ("::1", False, True),
        ("::ffff:127.0.0.1", False, True),
        ("10.0.0.1", False, False),
        ("169.254.169.254", False, False),
        ("fe80::1%eth0", False, False),
        ("64:ff9b::a00:1", False, False),
        ("0.0.0.0", False, False),
        ("no address", False, False),
    ],
)
def test_what_a_name_resolves_to_is_judged_like_a_literal(
    ip: str, public: bool, loopback: bool
) -> None:
    """Only public addresses are connected to, and this machine if the API is on it."""
    assert may_connect(ip, loopback_ok=False) is public
    assert may_connect(ip, loopback_ok=True) is (public or loopback)


@pytest.mark.parametrize(
    "url, text",
    [
        ("https://cdn.example/x.mp4", "https://cdn.example/x.mp4"),
        ("https://cdn.example/x.mp4?sig=secret", "https://cdn.example/x.mp4..."),
        ("https://cdn.example/x.mp4#secret", "https://cdn.example/x.mp4"),
        ("https://user:secret@cdn.example/x", "https://cdn.example/x"),
        ("https://cdn.example/\x1b[2J", "https://cdn.example/\N{REPLACEMENT CHARACTER}[2J"),
        ("https://cdn.example/" + "a" * 300, "https://cdn.example/" + "a" * 180 + "..."),
        ("secret", "(no URL)"),
        (None, "(no URL)"),
    ],
)
def test_a_message_shows_no_key_to_the_file(url: object, text: str) -> None:
    """Queries, passwords and control characters stay out of messages, and length is bounded."""
    assert shown(url) == text


PIECES = st.one_of(
    st.sampled_from("/@[].?#%\\_-01:\u00e9\u0661\ud800"),
    st.sampled_from(["https", "http", "://", "//", "..", "::1", "127", "0x7f", "2130706433"]),
    st.sampled_from(["localhost", "example", "cdn", "xn--"]),
)


@given(
    st.one_of(
        st.text(),
        st.lists(PIECES, max_size=12).map("".join),
        st.lists(PIECES, max_size=10).map(lambda pieces: "https://" + "".join(pieces)),
    ),
    st.booleans(),
)
@example("https://" + "9" * 5000, False)
def test_any_text_gives_an_answer_or_our_error(text: str, loopback_ok: bool) -> None:
    """Reading is total, and what was read is read the same again and leads somewhere allowed."""
    shown(text)
    may_connect(text, loopback_ok=loopback_ok)
    try:
        read_base_url(text)
        next_hop(CDN, text, loopback_ok=loopback_ok)
    except (InvalidRequestError, AddressError):
        pass
    try:
        address = read_file_address(text, loopback_ok=loopback_ok)
    except AddressError:
        return

    assert read_file_address(str(address), loopback_ok=loopback_ok) == address
    assert str(address).isascii()
    assert address.scope == "public" or (loopback_ok and address.scope == "loopback")
