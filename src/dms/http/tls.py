"""The certificate that the door shows."""

import ssl

from dms.errors import ConfigError
from dms.http.listening import Listening


def tls_context(listening: Listening) -> ssl.SSLContext | None:
    """What encrypts the connections; None where nothing does. ConfigError where the certificate or its key can't be
    used."""
    if listening.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # TLS 1.2 at least
    context.set_alpn_protocols(["http/1.1"])
    show_certificate(context, listening)
    return context


def show_certificate(context: ssl.SSLContext, listening: Listening) -> None:
    """Have whoever connects from now on shown the certificate as it is on the disk now. ConfigError where it can't be
    used."""
    assert listening.certificate is not None
    for file in (listening.certificate, listening.key):
        if file is not None and file.exists() and not file.is_file():  # a pipe would hold every change for ever
            raise ConfigError(_unusable(listening, f"{file} is not a regular file"))
    try:
        context.load_cert_chain(listening.certificate, listening.key, password=_no_passphrase)
    except ssl.SSLError as error:
        raise ConfigError(_unusable(listening, _reason(error))) from None
    except OSError as error:
        raise ConfigError(_unusable(listening, error.strerror or str(error))) from None
    except ValueError as error:
        raise ConfigError(_unusable(listening, str(error))) from None


def _no_passphrase() -> str:
    """Without this OpenSSL would ask the terminal, and the node would wait."""
    raise ValueError("the key has a passphrase; give a key file without one")


def _unusable(listening: Listening, why: str) -> str:
    files = str(listening.certificate) if listening.key is None else f"{listening.certificate} with {listening.key}"
    return f"rest.tls_certificate: {files} can't be used: {why}"


def _reason(error: ssl.SSLError) -> str:
    reason = error.reason or "NO_START_LINE"
    return _REASONS.get(reason, reason.lower().replace("_", " "))


_REASONS = {
    "KEY_VALUES_MISMATCH": "the key is not the certificate's",
    "NO_START_LINE": "there is no certificate or no key in it",
}
