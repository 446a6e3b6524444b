"""What is secret in addresses, and what is shown of them."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinoscope.core.addresses import Address, mask, reveal, short_name
from kinoscope.core.errors import KinoscopeError, SourceError

SHOWN = {
    "http://user:pw@127.0.0.1:80/cut.mp4?token=T": "http://***@127.0.0.1:80/cut.mp4?***",
    "https://host/v.mp4": "https://host/v.mp4",
    "http://[::1]:80/x?k": "http://[::1]:80/x?***",
    "http://host:8080/@user/v.mp4": "http://host:8080/@user/v.mp4",
    "http://host/v.mp4#t=1": "http://host/v.mp4#***",
    "rtsp://admin:pa/ss@host:554/path": "rtsp://***@host:554/path",
    "rtsp://admin:p#a?s@s@host/path": "rtsp://***@host/path",
    "rtsp://10.0.0.1/user=admin_password=tl_Jw_channel=1.sdp": "rtsp://10.0.0.1/user=***_password=***_channel=1.sdp",
    "rtmp://host/live;jsessionid=AB/x": "rtmp://host/live;jsessionid=***/x",
    "s3://KEY:SECRET@bucket/films.lance": "s3://***@bucket/films.lance",
    "http://user:p w@host/x": "http://***@host/x",
    "C:\\films\\a@b?.mp4": "C:\\films\\a@b?.mp4",
    "films/a@b?c#d.mp4": "films/a@b?c#d.mp4",
    "synthetic:shapes?duration=2": "synthetic:shapes?duration=2",
    "camera:0": "camera:0",
}


@pytest.mark.parametrize(("real", "shown"), SHOWN.items())
def test_an_address_is_shown_without_its_secrets_and_opened_with_them(real: str, shown: str) -> None:
    address = Address(real)
    assert (str(address), f"{address}", repr(address), reveal(address)) == (shown, shown, repr(shown), real)
    assert Address(address) is address
    assert [reveal(copied) for copied in (copy.copy(address), copy.deepcopy(address))] == [real] * 2
    assert mask(shown) == shown


def test_addresses_in_a_text_are_masked_and_the_rest_stays() -> None:
    text = "cannot open http://u:p@h/a?t=1: it is lost; see 'rtsp://u:p@h/b#c', (http://h/d?e) and a@b?c."
    assert (
        mask(text)
        == "cannot open http://***@h/a?***: it is lost; see 'rtsp://***@h/b#***', (http://h/d?***) and a@b?c."
    )
    assert mask("http:/u:p@h/a?t is no path") == "http:/***@h/a?*** is no path"  # as pathlib writes it
    assert mask("give http://HOST/PATH or https://HOST:PORT/PATH") == "give http://HOST/PATH or https://***"


@given(st.text(st.characters(codec="ascii", exclude_characters="%", categories=["L", "N", "P", "S"]), min_size=6))
def test_no_password_is_left(password: str) -> None:
    # What a scheme, a port, a host or the mask itself may look like is no secret.
    secret = f"Zq9{password}9qZ"
    assert secret not in Address(f"rtsp://me:{secret}@host/path")
    assert secret not in Address(f"http://host/path?token={secret}")
    assert secret not in mask(f"lost http://me:{secret}@host/path, and gone") or set(secret) & set("\"'<>`")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("http://u:p@host/films/v.mp4?token=T", "v.mp4"), ("http://u:p@host", "host"), ("http://u:p@host/?x", "host"),
        ("a/b/c.mp4", "c.mp4"), ("rtsp://host:554/", "host:554"),
    ],
)  # fmt: skip
def test_a_short_name_holds_no_secret(source: str, name: str) -> None:
    assert short_name(source) == name


def test_an_error_shows_no_secret() -> None:
    error = SourceError("cannot open http://u:pw@h/a?t=1")
    assert str(error) == "cannot open http://***@h/a?***"
    assert "pw" not in repr(error)
    assert str(KinoscopeError()) == ""
