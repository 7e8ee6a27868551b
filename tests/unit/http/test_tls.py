import os
from pathlib import Path
from typing import Any

import pytest

from dms.errors import ConfigError
from dms.http.listening import Listening
from dms.http.tls import tls_context


def refusal_of(certificate: Path, key: Path | None) -> str:
    with pytest.raises(ConfigError) as raised:
        tls_context(Listening("127.0.0.1", 0, certificate, key))
    return str(raised.value)


def test_without_a_certificate_there_is_no_tls() -> None:
    assert tls_context(Listening("127.0.0.1", 0)) is None


def test_a_certificate_and_its_key_may_stand_in_one_file(authority: Any) -> None:
    certificate, key = authority.issue()
    both = certificate.with_name("both.pem")
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    assert tls_context(Listening("127.0.0.1", 0, both))


def test_a_key_of_another_certificate_is_said(authority: Any) -> None:
    authority.issue("other")
    certificate, key = authority.issue(key_of="other")
    told = f"rest.tls_certificate: {certificate} with {key} can't be used: the key is not the certificate's"
    assert told == refusal_of(certificate, key)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    missing = tmp_path / "none.crt"
    assert f"rest.tls_certificate: {missing} can't be used: No such file or directory" == refusal_of(missing, None)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, authority: Any) -> None:
    certificate, _ = authority.issue()
    os.mkfifo(pipe := tmp_path / "pipe")
    refusals = refusal_of(pipe, None), refusal_of(certificate, pipe)
    assert [True, True] == [each.endswith(f"{pipe} is not a regular file") for each in refusals]


@pytest.mark.parametrize("text", ["", "not PEM", "-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n"])
def test_a_file_that_is_no_certificate_is_said(tmp_path: Path, text: str) -> None:
    file = tmp_path / "odd.crt"
    file.write_text(text)
    assert refusal_of(file, None).startswith(f"rest.tls_certificate: {file} can't be used: ")


def test_a_certificate_without_its_key_is_said(authority: Any) -> None:
    certificate, _ = authority.issue()
    assert refusal_of(certificate, None).endswith("there is no certificate or no key in it")


def test_a_key_with_a_passphrase_is_said_and_nobody_is_asked_for_it(authority: Any) -> None:
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    certificate, key = authority.issue()
    loaded = load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    assert refusal_of(certificate, key).endswith("the key has a passphrase; give a key file without one")
