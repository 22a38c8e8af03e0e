"""Every contract of openssl_iface, and no logic.

A backend provides :class:`IBackend`, and through it the classes whose instances
provide the others.  An integration (Twisted, asyncio, your own loop) needs
:class:`IContext` and :class:`IConnection` alone.

Types in the docstrings: *bytes* is any object that supports the buffer protocol
where it is taken, and ``bytes`` where it is given.  *text* is ``str``.  A size is
in bytes and a time in seconds, unless stated.  Every method may raise
``TypeError`` or ``ValueError`` for an argument that is not what is asked; the
message names the argument, and nothing has changed then.
"""

from __future__ import annotations

from zope.interface import Attribute, Interface

__all__ = [
    "IBackend",
    "ICRL",
    "IConnection",
    "IContext",
    "ICrypto",
    "INetscapeSPKI",
    "IPKCS12",
    "IPKCS7",
    "IPKey",
    "IRandom",
    "IRevoked",
    "ISession",
    "IX509",
    "IX509Extension",
    "IX509Name",
    "IX509Req",
    "IX509Store",
    "IX509StoreContext",
]


# ---------------------------------------------------------------------------
# crypto
# ---------------------------------------------------------------------------


class IPKey(Interface):
    """A key: a private one with its public half, a public one alone, or nothing yet.

    A key may be used by several threads.  Two keys are equal when their public halves are.
    """

    algorithm = Attribute('``"RSA"``, ``"EC"``, ``"ED25519"``, ``"ML-DSA-65"`` ... (text; ``""`` if empty).')

    def generate_key(type, bits=0, *, curve=None):
        """Make a new key, in place of what was there.

        Other threads run meanwhile.  What a signal's handler raises (Ctrl-C: KeyboardInterrupt)
        ends the generation and comes out of here; the old key is still there then, as it is after
        every error.

        :param type: a ``TYPE_`` constant (a ``KeyType``), or a name: ``"RSA"``, ``"ED25519"``,
            ``"ML-DSA-65"`` ...
        :param bits: the size for RSA (512 to 16384), DSA (to 10000) and EC (the NIST curve of that size).
        :param curve: for EC, instead of *bits*: the name of a curve, or what ``get_elliptic_curve`` gives.
        :raises CryptoError: this OpenSSL makes no such keys, or none of that size.
        """

    def bits():
        """The size (*EVP_PKEY_get_bits(3)*; int, 0 if empty)."""

    def type():
        """A ``TYPE_`` constant (a ``KeyType``), or OpenSSL's object number of the algorithm; 0 if empty."""

    def check():
        """True if the private key is sound (*EVP_PKEY_check(3)*).

        What OpenSSL 1.1.1 has no check for (all but RSA and EC) is sound if its public half is the one that
        belongs to its private half.

        :raises CryptoError: it is not, there is none (``KeyHalfError``), or OpenSSL cannot check its type.
        """

    def to_cryptography_key():
        """The same key as an object of ``cryptography`` (which must be installed), by DER."""


class IX509Name(Interface):
    """A distinguished name (RFC 5280, section 4.1.2.4).

    Its parts are attributes, by OpenSSL's short or long names: ``countryName`` or ``C``,
    ``stateOrProvinceName`` or ``ST``, ``localityName`` or ``L``, ``organizationName`` or ``O``,
    ``organizationalUnitName`` or ``OU``, ``commonName`` or ``CN``, ``emailAddress``, and what else OpenSSL
    knows; also the spellings ``country_name``, ``state_or_province``, ``SP``, ``locality``,
    ``organization``, ``organizational_unit``, ``common_name`` and ``email``.  Reading gives text, or
    ``None`` if there is no such part (the first one, if several).  Writing takes text (or bytes in UTF-8) and
    puts the part at the end in place of the first of its kind; ``None`` takes it out.  An unknown name is
    an AttributeError; a value that is too long, of the wrong characters, or with a NUL in it is a
    CryptoError, and nothing has changed.

    A name that ``get_subject`` or ``get_issuer`` gave is live: writing to it changes the object that it came
    from, which it keeps alive.  When that object gets another name, this one stands alone.

    Names are compared as RFC 5280, section 7.1 has it (without regard to case and spacing), and ordered.
    """

    def hash():
        """The number that ``openssl rehash`` names files by (int; *X509_NAME_hash(3)*)."""

    def der():
        """The name in DER (bytes)."""

    def get_components():
        """All parts in their order: a list of (short name or number in dots, value in UTF-8), both bytes."""


class IX509Extension(Interface):
    """One extension (RFC 5280, section 4.2).  It never changes.

    Made from OpenSSL's config syntax (*x509v3_config(5)*): ``X509Extension("keyUsage", True,
    "digitalSignature")``; there is no config file behind it, so a reference to a section is an error.
    No other file is read either: ``policy:file:`` of proxyCertInfo is an error, too.
    ``str()`` gives what OpenSSL prints.
    """

    def get_critical():
        """1 if it is critical, else 0."""

    def get_short_name():
        """OpenSSL's short name, or the number in dots (bytes)."""

    def get_data():
        """The value in DER (bytes)."""


class IX509(Interface):
    """A certificate, or one in the making.

    Setters check everything first: what fails has changed nothing.  A certificate that was given to a store
    or a context is not changed there by what is done to this object later.
    """

    not_valid_before = Attribute("The beginning of its validity (an aware datetime), or ``None``.")
    not_valid_after = Attribute("The end of its validity (an aware datetime), or ``None``.")

    def get_version():
        """The version field: 2 stands for version 3 (int)."""

    def set_version(version):
        """Set the version field (int)."""

    def get_serial_number():
        """The serial number (int, of any size)."""

    def set_serial_number(serial):
        """Set it (int; negative ones too).

        :raises ValueError: it needs more than 20 octets (RFC 5280, section 4.1.2.2).
        """

    def get_subject():
        """The subject: a live IX509Name, which stays valid when the certificate is gone."""

    def set_subject(subject):
        """Set the subject from a copy of an IX509Name."""

    def get_issuer():
        """The issuer: a live IX509Name, which stays valid when the certificate is gone."""

    def set_issuer(issuer):
        """Set the issuer from a copy of an IX509Name."""

    def get_pubkey():
        """The public key (an IPKey without a private half).

        :raises CryptoError: there is none, or OpenSSL does not understand it.
        """

    def set_pubkey(pkey):
        """Set the public key from an IPKey, private or not."""

    def get_notBefore():
        """The beginning of its validity: ``b"YYYYMMDDhhmmssZ"``, or ``None`` if it was not set."""

    def get_notAfter():
        """The end of its validity, in the same form."""

    def set_notBefore(when):
        """Set the beginning: ``b"YYYYMMDDhhmmssZ"``, the same with ``+hhmm`` or ``-hhmm`` for ``Z``
        (bytes or text), or a datetime (a naive one is UTC).  Written as UTCTime until 2049 and as
        GeneralizedTime from 2050 on (RFC 5280, section 4.1.2.5)."""

    def set_notAfter(when):
        """Set the end, in the same forms."""

    def gmtime_adj_notBefore(amount):
        """Set the beginning to *amount* seconds from now (int)."""

    def gmtime_adj_notAfter(amount):
        """Set the end to *amount* seconds from now (int)."""

    def has_expired():
        """Whether the end of its validity has passed (bool)."""

    def add_extensions(extensions):
        """Add IX509Extensions (iterable): all of them, or none."""

    def get_extension_count():
        """How many extensions it has (int)."""

    def get_extension(index):
        """One of them, from 0 (an IX509Extension).

        :raises IndexError: there are not so many.
        """

    def get_extensions():
        """All of them (list of IX509Extension)."""

    def get_subject_alt_names():
        """The names that it is for (RFC 5280, section 4.2.1.6), as the standard library's ssl shows them:
        a list of ``("DNS", "example.org")``, ``("IP Address", "192.0.2.1")``, ``("email", ...)`` ...

        :raises CryptoError: the extension is malformed, or there twice.
        """

    def get_signature_algorithm():
        """OpenSSL's name of it, such as ``b"sha256WithRSAEncryption"``.

        :raises ValueError: there is no signature yet, or what is signed names another algorithm.
        """

    def sign(pkey, digest=None):
        """Sign it with a private key.

        :param digest: such as ``"sha256"`` (text or bytes); ``None``: the key's own choice, which is needed
            for keys without a separate digest (Ed25519, Ed448, ML-DSA), and is SHA-256 for others.
        :raises ValueError: there is no such digest.
        :raises CryptoError: the key cannot sign so, or is not private.
        """

    def verify(pkey):
        """True if the key (an IPKey) signed it.

        :raises CryptoError: it did not.
        """

    def digest(digest_name):
        """The fingerprint: upper-case hex with colons (bytes)."""

    def subject_name_hash():
        """The number that ``openssl rehash`` names its file by (int)."""

    def to_cryptography():
        """The same as an object of ``cryptography`` (which must be installed), by DER."""


class IX509Req(Interface):
    """A certificate request (PKCS#10, RFC 2986), or one in the making."""

    def get_version():
        """The version field: 0 stands for version 1, the only one (int)."""

    def set_version(version):
        """Set the version field (int)."""

    def get_subject():
        """The subject: a live IX509Name."""

    def set_subject(subject):
        """Set the subject from a copy of an IX509Name."""

    def get_pubkey():
        """The public key (an IPKey without a private half)."""

    def set_pubkey(pkey):
        """Set the public key from an IPKey, private or not."""

    def add_extensions(extensions):
        """Ask for IX509Extensions (iterable): all of them, or none."""

    def get_extensions():
        """The extensions asked for (list of IX509Extension).

        :raises CryptoError: they are malformed.
        """

    def get_signature_algorithm():
        """OpenSSL's name of it (bytes)."""

    def sign(pkey, digest=None):
        """Sign it with a private key; the digest as for ``IX509.sign``."""

    def verify(pkey):
        """True if the key (an IPKey) signed it.

        :raises CryptoError: it did not.
        """

    def to_cryptography():
        """The same as an object of ``cryptography`` (which must be installed), by DER."""


class IRevoked(Interface):
    """One entry of a revocation list (RFC 5280, section 5.3)."""

    def get_serial():
        """The serial number of the revoked certificate: hex digits (bytes)."""

    def set_serial(hex_str):
        """Set it from hex digits (bytes or text), or an int.

        More than the 20 octets that RFC 5280 allows are taken, up to 65536: certificates that others
        have made can have such numbers, and are revoked by them.
        """

    def get_rev_date():
        """When it was revoked: ``b"YYYYMMDDhhmmssZ"``, or ``None`` if it was not set."""

    def set_rev_date(when):
        """Set it, in the forms of ``IX509.set_notBefore``."""

    def get_reason():
        """Why it was revoked, such as ``b"Key Compromise"``, or ``None``."""

    def set_reason(reason):
        """Set it: one of ``all_reasons()``, in any case and spacing; ``None`` takes it out."""

    def all_reasons():
        """The reasons that there are (list of bytes; RFC 5280, section 5.3.1)."""


class ICRL(Interface):
    """A revocation list (RFC 5280, section 5), or one in the making."""

    def get_version():
        """The version field: 1 stands for version 2 (int)."""

    def set_version(version):
        """Set the version field (int); signing sets it if there are extensions."""

    def get_issuer():
        """The issuer: a live IX509Name."""

    def set_issuer(issuer):
        """Set the issuer from a copy of an IX509Name; signing does so too."""

    def get_lastUpdate():
        """When it was issued: ``b"YYYYMMDDhhmmssZ"``, or ``None``."""

    def get_nextUpdate():
        """When the next one is due, in the same form."""

    def set_lastUpdate(when):
        """Set it, in the forms of ``IX509.set_notBefore``."""

    def set_nextUpdate(when):
        """Set it, in the same forms."""

    def get_revoked():
        """Copies of the entries (a tuple of IRevoked), or ``None`` if there is none."""

    def add_revoked(revoked):
        """Add a copy of an IRevoked."""

    def get_extensions():
        """Its extensions (list of IX509Extension)."""

    def add_extensions(extensions):
        """Add IX509Extensions (iterable): all of them, or none."""

    def get_signature_algorithm():
        """OpenSSL's name of it (bytes)."""

    def sign(issuer_cert, issuer_key, digest=None):
        """Take the issuer from a certificate, and sign: both, or neither.

        The digest is as for ``IX509.sign``.
        """

    def verify(pkey):
        """True if the key (an IPKey) signed it.

        :raises CryptoError: it did not.
        """

    def export(cert, key, type=1, days=100, digest=None):
        """Sign it as issued now and due again in *days* days, and give it as bytes in a ``FileType``."""

    def to_cryptography():
        """The same as an object of ``cryptography`` (which must be installed), by DER."""


class IX509Store(Interface):
    """Certificates that are trusted, and how chains to them are verified (*X509_STORE_new(3)*).

    Several threads may use one.
    """

    def add_cert(cert):
        """Trust an IX509.  One that is there already is no error."""

    def add_crl(crl):
        """Add an ICRL; it is looked at when the flags say so."""

    def set_flags(flags):
        """Add flags (``X509StoreFlags``)."""

    def set_purpose(purpose):
        """What the certificates must be good for (a ``StorePurpose``)."""

    def set_time(vfy_time):
        """Verify as at that time (a datetime; a naive one is UTC), not now."""

    def load_locations(cafile, capath=None):
        """Trust the certificates (and use the revocation lists) of a PEM file, or of a directory with
        names by ``openssl rehash``, or of both (text, bytes or path, or ``None``)."""

    def set_default_paths():
        """Trust what the system trusts."""


class IX509StoreContext(Interface):
    """The verification of one certificate (*X509_verify_cert(3)*).

    Made from an IX509Store, an IX509 and, optionally, others (iterable of IX509) that may stand between
    it and what the store trusts.
    """

    def set_store(store):
        """Use another store."""

    def verify_certificate():
        """Verify.

        :raises X509StoreContextError: the certificate is refused; its ``errors`` is
            ``[code, depth, text]``, its ``certificate`` the one concerned.
        """

    def get_verified_chain():
        """Verify, and give the chain from the certificate up to the root (list of IX509)."""


class INetscapeSPKI(Interface):
    """Netscape's signed public key and challenge (*openssl-spkac(1)*), which browsers once made.

    May be used by several threads.  Errors of OpenSSL are ``CryptoError``.
    """

    def b64_encode():
        """The object in base64, on one line (bytes)."""

    def get_pubkey():
        """The public key (an IPKey)."""

    def set_pubkey(pkey):
        """Put the public half of *pkey* (an IPKey) in."""

    def get_challenge():
        """The challenge that the key's owner has signed with it (bytes)."""

    def set_challenge(challenge):
        """Put a challenge in (ASCII text or bytes)."""

    def sign(pkey, digest=None):
        """Sign with *pkey* (an IPKey); *digest* is a name, or ``None`` for the key's own choice."""

    def verify(pkey):
        """True if *pkey* (an IPKey) has signed it.

        :raises CryptoError: it has not.
        """


class IPKCS7(Interface):
    """A PKCS#7 message (RFC 2315).  It does not change; may be used by several threads.

    *flags* are ``PKCS7Flag`` bits (0x80: ``BINARY``).  Errors of OpenSSL are ``CryptoError``.
    """

    def type_is_signed():
        """Whether it is signed (signedData): content with signatures, or certificates alone (bool)."""

    def type_is_enveloped():
        """Whether it is encrypted for the owners of certificates (envelopedData) (bool)."""

    def type_is_signedAndEnveloped():
        """Whether it is both in one (signedAndEnvelopedData) (bool)."""

    def type_is_data():
        """Whether it is plain data (data) (bool)."""

    def get_type_name():
        """OpenSSL's short name of its type, such as ``b"pkcs7-signedData"`` (bytes)."""

    def get_certificates():
        """The certificates that it carries, in their order (tuple of IX509)."""

    def sign(cert, key, data, certs=(), flags=0x80):
        """A new signed message; called on the class.

        :param cert: the signer's certificate (an IX509), *key* its private key (an IPKey).
        :param data: what is signed (bytes).  It is kept as it is unless *flags* lack ``BINARY``;
            ``DETACHED`` keeps it out of the message.
        :param certs: more certificates to put in (iterable of IX509).
        """

    def bundle(certs):
        """A new message of certificates alone (iterable of IX509), a "p7b" file; called on the class."""

    def verify(store, data=None, certs=(), flags=0):
        """The signed content, if every signature holds and every signer is trusted (bytes)
        (*PKCS7_verify(3)*).

        :param store: whom to trust (an IX509Store).  Signers must be fit for S/MIME.
        :param data: the content, if it is detached (bytes).
        :param certs: where to look for the signers' certificates too (iterable of IX509).
        """

    def encrypt(certs, data, cipher="aes-256-cbc", flags=0x80):
        """A new message for the owners of *certs* (iterable of IX509, RSA); called on the class.

        :param data: what is encrypted (bytes); kept as it is with ``BINARY``, as in ``sign``.
        :param cipher: the name of a CBC cipher.
        """

    def decrypt(key, cert, flags=0):
        """The content (bytes), for the owner of *key* (an IPKey) and *cert* (an IX509), who must be one
        of those it was made for.

        Old ciphers (RC2, DES) are a matter of OpenSSL's legacy provider; an error says if there is none.
        """


class IPKCS12(Interface):
    """The content of a PKCS#12 file (RFC 7292), or of one in the making: any part may be missing.

    Getters and setters may be used by several threads.
    """

    def get_certificate():
        """The certificate of the private key (an IX509), or ``None``."""

    def set_certificate(cert):
        """Put in, or with ``None`` take out, the certificate."""

    def get_privatekey():
        """The private key (an IPKey), or ``None``."""

    def set_privatekey(pkey):
        """Put in, or with ``None`` take out, the private key."""

    def get_ca_certificates():
        """The other certificates, in their order in the file (tuple of IX509), or ``None``.

        Where a file has no private key, all certificates are here.
        """

    def set_ca_certificates(cacerts):
        """Put in the other certificates (iterable of IX509), or with ``None`` take them out."""

    def get_friendlyname():
        """The name of certificate and key, for people (bytes, UTF-8), or ``None``."""

    def set_friendlyname(name):
        """Put in a name (text, or bytes in UTF-8; no character beyond U+FFFF); ``None`` takes it out."""

    def export(passphrase=None, iter=100_000, maciter=100_000, *, legacy=False):
        """The file (bytes): encrypted with AES-256 (PBES2), authenticated with HMAC-SHA-256.

        :param passphrase: text, or bytes in UTF-8.  ``None`` is as good as no encryption: the
            file opens with no passphrase.
        :param iter: rounds of key derivation for the encryption, at most ten million; 0 is the default.
        :param maciter: the same for the authentication; -1 leaves it out.
        :param legacy: with RC2, triple DES and SHA-1 instead, for readers from before 2010; a matter of
            OpenSSL's legacy provider.
        :raises CryptoError: there is nothing to write, or the certificate is not the key's.
        """


class ICrypto(Interface):
    """The functions of the crypto module.

    *type* is a ``FileType``: ``FILETYPE_PEM``, ``FILETYPE_ASN1`` (DER), and for dumps ``FILETYPE_TEXT``
    too.  A buffer is bytes (or text).  Loaders take the first PEM block of the kind, whatever stands around
    it, or exactly one DER structure; everything else is a CryptoError.  No function asks at a terminal.
    """

    def load_certificate(type, buffer):
        """An IX509."""

    def load_certificates(buffer):
        """All certificates of a PEM file, in their order (list of IX509).

        :raises CryptoError: there is none, or one of them is damaged.
        """

    def dump_certificate(type, cert):
        """An IX509 as bytes."""

    def load_certificate_request(type, buffer):
        """An IX509Req."""

    def dump_certificate_request(type, req):
        """An IX509Req as bytes."""

    def load_crl(type, buffer):
        """An ICRL."""

    def dump_crl(type, crl):
        """An ICRL as bytes."""

    def load_privatekey(type, buffer, passphrase=None):
        """An IPKey with its private half, from PKCS#8 (RFC 5958) or the form of its algorithm.

        :param passphrase: bytes (or text, in UTF-8) of at most 1024 bytes; or a callable, which is asked only
            if the key is encrypted, once, with 0, and returns the same.  What it raises comes through.
        :raises CryptoError: not a key; or it is encrypted and the passphrase is missing or wrong.
        :raises ValueError: the passphrase is too long.
        """

    def dump_privatekey(type, pkey, cipher=None, passphrase=None):
        """The private half as bytes: PKCS#8 in PEM, the form of its algorithm in DER.

        :param cipher: OpenSSL's name of one, such as ``"aes256"``: encrypt, with PBES2 (RFC 8018) under
            the passphrase.  For PEM only.
        :param passphrase: as for ``load_privatekey``; a callable is called with 1.
        """

    def load_publickey(type, buffer):
        """An IPKey without a private half, from a SubjectPublicKeyInfo (RFC 5280, section 4.1)."""

    def dump_publickey(type, pkey):
        """The public half as a SubjectPublicKeyInfo."""

    def sign(pkey, data, digest=None):
        """The signature of a private key over *data* (bytes); the digest as for ``IX509.sign``."""

    def verify(cert, signature, data, digest=None):
        """Check a signature of ``sign`` with an IX509 (or an IPKey).

        :raises CryptoError: it does not match.
        """

    def get_elliptic_curves():
        """The curves that this OpenSSL knows (a set of objects with a ``name``)."""

    def get_elliptic_curve(name):
        """The one of that name, OpenSSL's (``"prime256v1"``) or NIST's (``"P-256"``).

        :raises ValueError: there is none.
        """

    def X509_verify_cert_error_string(code):
        """OpenSSL's words for a verdict (``X509VerificationCodes``, an int): text."""

    def load_pkcs7_data(type, buffer):
        """A PKCS#7 message (an IPKCS7) from *buffer* (bytes); *type* is a ``FileType``."""

    def dump_pkcs7_data(type, pkcs7):
        """A message (an IPKCS7) as bytes; *type* is a ``FileType``."""

    def load_pkcs12(buffer, passphrase=None):
        """The content of a PKCS#12 file (an IPKCS12).

        :param buffer: the file (bytes).
        :param passphrase: text, or bytes in UTF-8; absent (``None``) and empty are the same.
            Files from the times of RC2 and triple DES are a matter of OpenSSL's legacy provider; an error
            says if there is none.
        """


# ---------------------------------------------------------------------------
# rand
# ---------------------------------------------------------------------------


class IRandom(Interface):
    """The random number generator of the process; it seeds itself (*RAND(7)*).

    Every method may be called from several threads, and raises ``RandError`` for what cannot be
    done.  On Windows there is also ``screen()``, which seeds the generator from the system.
    """

    def add(bytes, entropy):
        """Mix in *bytes* (any bytes-like object) that hold *entropy* bytes of randomness (a number, not
        negative; more than there are bytes counts as all of them)."""

    def seed(bytes):
        """Mix in *bytes* (any bytes-like object) that are random throughout."""

    def status():
        """1 if the generator has been seeded enough, else 0."""

    def bytes(num_bytes):
        """*num_bytes* random bytes, fit for keys (0 to 2**31 - 1)."""

    def load_file(path, bytes=-1):
        """Mix in at most *bytes* bytes of a file; returns how many were read.

        :param bytes: -1 is all of a regular file, and 256 bytes of anything else.
        """

    def write_file(path):
        """Write 1024 random bytes to a regular file that its owner alone can read, at any moment;
        returns how many were written.  A directory, a symbolic link or a device is an error."""

    def egd(path, bytes=255, *, timeout=10.0):
        """Mix in what an entropy gathering daemon on a Unix socket gives; returns how many bytes.

        :param bytes: how many to ask for, at most 65536.
        :param timeout: seconds, or ``None`` to wait for ever.
        :raises RandError: there is no daemon, it gave nothing, or it does not keep to the protocol.
        """

    def cleanup():
        """Nothing, today: OpenSSL erases its generator when the process ends."""


# ---------------------------------------------------------------------------
# SSL
# ---------------------------------------------------------------------------


class ISession(Interface):
    """A session that a later connection may resume (*SSL_get1_session(3)*)."""

    session_id = Attribute("The session's identifier (bytes, at most 32; empty for TLS 1.3 tickets).")
    protocol_version = Attribute("The protocol it belongs to (a ``ProtocolVersion`` number).")
    timeout = Attribute("Seconds from its beginning until it is no longer resumed.")
    time = Attribute("When it began (seconds since 1970, UTC).")
    is_resumable = Attribute("Whether OpenSSL would resume it.")
    has_ticket = Attribute("Whether it carries a ticket (RFC 5077; RFC 8446, section 4.6.1).")
    ticket_lifetime_hint = Attribute("The lifetime that the server gave its ticket, in seconds.")

    def to_bytes():
        """The session as ASN.1 (*i2d_SSL_SESSION(3)*).  It contains secrets."""


class IContext(Interface):
    """What many connections share (*SSL_CTX_new(3)*).

    Setters keep working while connections exist and affect those made later only.
    A context may be used by several threads.

    A callback runs on the thread of the operation that caused it, with no lock
    held that another connection may need.  What it raises is raised again by
    that operation, on its own connection and no other; the handshake fails and
    the peer gets an alert.
    """

    def set_min_proto_version(version):
        """Refuse protocols below *version* (a ``ProtocolVersion``; 0: the lowest there is)."""

    def set_max_proto_version(version):
        """Refuse protocols above *version* (a ``ProtocolVersion``; 0: the highest there is)."""

    def get_min_proto_version():
        """The lower bound, 0 if there is none (int)."""

    def get_max_proto_version():
        """The upper bound, 0 if there is none (int)."""

    def set_cipher_list(ciphers):
        """Choose the ciphers of TLS 1.2 and before.

        :param ciphers: OpenSSL's cipher list (text or bytes, *openssl-ciphers(1)*).
        :raises Error: it names no cipher that this OpenSSL has.
        """

    def set_tls13_ciphersuites(ciphersuites):
        """Choose the ciphers of TLS 1.3: names separated by colons (text or bytes).

        :raises Error: a name is not known.
        """

    def get_cipher_list():
        """The names of the ciphers that a connection of this context would offer (list of text)."""

    def set_groups(groups):
        """Choose the key exchange groups, best first: ``"X25519:P-256"`` (text or bytes).

        :raises Error: a name is not known (*SSL_CTX_set1_groups_list(3)*).
        """

    def set_sigalgs(algorithms):
        """Choose the signature algorithms, best first (*SSL_CTX_set1_sigalgs_list(3)*)."""

    def set_options(options):
        """Add ``OP_`` bits; returns all that are set now (int).  0 changes nothing."""

    def clear_options(options):
        """Take ``OP_`` bits away; returns all that are set now (int)."""

    def set_mode(mode):
        """Add ``MODE_`` bits; returns all that are set now (int)."""

    def clear_mode(mode):
        """Take ``MODE_`` bits away; returns all that are set now (int)."""

    def use_certificate(certificate):
        """Present *certificate* (an IX509) to peers."""

    def use_certificate_file(path, filetype):
        """The same from a file (text, bytes or path; *filetype* a ``FileType``, PEM if left out)."""

    def use_certificate_chain_file(path):
        """The certificate and the chain above it, in this order, from a PEM file."""

    def use_certificate_chain(certificates):
        """The certificate and the chain above it, from objects (iterable of IX509)."""

    def add_extra_chain_cert(certificate):
        """Add a certificate to the chain that is presented (an IX509)."""

    def use_privatekey(key):
        """Use *key* (an IPKey) with the certificate.

        :raises Error: it does not belong to the certificate; the context is as it was.
        """

    def use_privatekey_file(path, filetype):
        """The same from a file; a passphrase comes from ``set_passwd_cb``, never from a terminal."""

    def check_privatekey():
        """Whether key and certificate are there and belong together (bool)."""

    def set_passwd_cb(callback, userdata):
        """Ask *callback* for the passphrase of a key file.

        It is called with ``(maximum length, verify, userdata)`` once for each encrypted key
        that is loaded, and returns bytes.
        """

    def set_verify(mode, callback):
        """What is asked of the peer's certificate.

        :param mode: ``VerifyMode`` bits.
        :param callback: ``None`` (OpenSSL's verdict stands, nothing is called), or a callable
            with ``(connection, certificate, error number, depth, ok)`` that returns the verdict
            for this certificate.  It is called for each certificate of the chain, from the root
            down, and may be called more than once for one; not on resumption.
        """

    def get_verify_mode():
        """The mode in force (int)."""

    def set_verify_depth(depth):
        """The most intermediate certificates that a chain may have (int)."""

    def get_verify_depth():
        """The same, -1 if it was never set (int)."""

    def load_verify_locations(cafile, capath):
        """Trust the certificates of a PEM file, or of a hashed directory, or both."""

    def set_default_verify_paths():
        """Trust what the system trusts."""

    def get_cert_store():
        """The trust store (an IX509Store), the same one each time; what is added to it counts for
        connections that are made afterwards."""

    def load_client_ca(pemfile):
        """Ask clients for certificates of the authorities in a PEM file (names only, no trust)."""

    def set_client_ca_list(names):
        """The same from names (iterable of IX509Name)."""

    def add_client_ca(certificate):
        """Add the name of one authority (an IX509)."""

    def load_tmp_dh(dhfile):
        """Use the Diffie-Hellman parameters of a PEM file for TLS 1.2."""

    def set_session_id(name):
        """The session id context of a server (bytes, at most 32; *SSL_CTX_set_session_id_context(3)*)."""

    def set_session_cache_mode(mode):
        """``SESS_CACHE_`` bits; returns the old ones (int)."""

    def get_session_cache_mode():
        """The bits in force (int)."""

    def set_timeout(seconds):
        """How long sessions are resumed; returns the old value (int, seconds)."""

    def get_timeout():
        """The same, without a change (int, seconds)."""

    def set_alpn_protos(protocols):
        """Offer *protocols* (iterable of bytes, 1 to 255 each), best first (RFC 7301)."""

    def set_alpn_select_callback(callback):
        """Choose among what the client offers.

        :param callback: a callable with ``(connection, list of bytes)``; it returns one of the
            list, or ``NO_OVERLAPPING_PROTOCOLS`` to go on without ALPN, or ``b""`` to refuse the
            connection (RFC 7301, section 3.2).  Called at most once in a handshake, on the server,
            also on resumption.
        """

    def set_tlsext_servername_callback(callback):
        """Hear the name that the client asks for (RFC 6066, section 3).

        :param callback: a callable with ``(connection)``; it may switch the connection to another
            context with ``set_context``.  Called at most once in a handshake, on the server, whether
            or not the client sent a name.
        """

    def set_info_callback(callback):
        """Follow the state of connections: a callable with ``(connection, where, ret)``
        (*SSL_CTX_set_info_callback(3)*); called many times in a handshake and for each alert.

        libssl does not ask it, and offers no way to send an alert in its name: if it raises, the handshake
        ends and nothing more is sent, so that the peer hears of the end of the transport alone."""

    def set_keylog_callback(callback):
        """Get the secrets of each connection, for debugging: a callable with
        ``(connection, line)``, *line* bytes in the NSS key log format; some five times in a handshake.
        If it raises, the handshake ends as with ``set_info_callback``."""

    def set_cert_verify_callback(callback):
        """Have a word after OpenSSL's own verification: a callable with ``(connection, ok)``, once in
        each full handshake with a peer's certificate.  It returns true to let OpenSSL's verdict
        stand, false to refuse; it cannot accept what OpenSSL refused.  On a client it may raise
        ``WantVerificationError`` to be asked again (OpenSSL 3.0 and later)."""

    def set_cert_cb(callback):
        """Choose the certificate when the peer's wishes are known: a callable with
        ``(connection)``, called in each full handshake.  It may raise ``WantX509LookupError`` to be called
        again on the next attempt, or when ``event_proceed`` is called."""

    def set_client_hello_callback(callback):
        """See the client's first message before anything is decided: a callable with
        ``(connection)``, on the server.  It may raise ``WantClientHelloError`` to be called again."""

    def set_session_callback(callback):
        """Get each new session: a callable with ``(connection, session)``.

        On a TLS 1.3 client it runs when a ticket arrives, which is after the handshake, and may
        run several times."""

    def set_app_data(data):
        """Keep any object with the context."""

    def get_app_data():
        """That object, or ``None``."""


class IConnection(Interface):
    """One TLS connection, with two faces on one engine.

    **The manual's face** (``do_handshake``, ``recv``, ``send`` ...) works on the socket that was
    given, blocking or not, and raises ``WantReadError`` and its like when it has to wait.

    **The event-loop face** is the methods whose names begin with ``event_``.  None of them waits,
    and none raises to say "not yet": after each call, ``wants`` says what the connection waits for.
    The transport calls ``event_read`` when its descriptor is readable and ``event_flush`` when it is
    writable; with no descriptor, it brings what has arrived to ``event_feed`` and takes what is to be
    sent from ``event_output``, or that of a write from ``event_encrypt``.

    A connection may be used by several threads: one may wait in ``recv`` while another sends.
    """

    # -- the event-loop face ---------------------------------------------

    wants = Attribute(
        """What the connection waits for now: an int of ``Want`` bits.

        ``READ``: watch for arriving bytes.  ``WRITE``: ciphertext waits to leave: watch for
        writability and call ``event_flush`` (with no descriptor: call ``event_output``).
        ``PROCEED``: call ``event_proceed`` without waiting.  The others: call ``event_proceed`` when
        the answer is there."""
    )
    handshake_done = Attribute("Whether the first handshake is complete (bool).")
    ended = Attribute("How the peer's side ended: an ``Ending``, or ``None`` while it is open.")
    close_sent = Attribute("Whether our close_notify has left this side (bool).")
    queued = Attribute(
        "Bytes accepted by ``event_write`` or made by the engine that have not left yet (int).  Replies "
        "that wait for our goodbye (see ``event_read``) do not count."
    )

    def event_detach():
        """Forget the descriptor, which is about to be closed: nothing is read or sent any more."""

    def event_read():
        """The descriptor is readable: read it once and do everything that can be done.

        That is, with one system call to receive and at most one to send: go on with the
        handshake, decrypt every whole record, send every reply, go on with what was held up.
        (When the peer says goodbye, and nothing else, replies wait to leave together with ours, by
        ``event_close``, or with what is written, or by ``event_flush``: ``wants`` has ``WRITE`` then.)

        :return: the plaintext that has come (bytes, at most ``EVENT_SIZE``; ``b""`` if none).
        :raises Error: the connection has failed (the alert, if one was due, has been sent), and
            every later call raises the same; or a callback's exception; or, once, ``TruncatedError``
            when the transport ended without close_notify: writing goes on then.  Plaintext that came
            before the failure is returned first, and ``wants`` has ``PROCEED`` until it is raised.
        """

    def event_feed(data):
        """The same for bytes that the caller has received: all of *data* is taken; ``b""`` says
        that the transport has ended."""

    def event_proceed():
        """The same with nothing new: begin the handshake, go on after ``PROCEED`` or an answer."""

    def event_write(data):
        """Encrypt and send *data* (bytes, any size; kept until it has left).

        Before the handshake is complete, or while the transport takes no more, it is queued.  A
        transport that fails while sending raises nothing here: ``ended`` is ``ABORTED`` then and ``wants``
        has ``PROCEED``, so that what the peer sent before (its last words, an alert) is still given before
        ``event_proceed`` raises.

        :raises Error: ``event_close`` has been called, or the connection has failed before.
        """

    def event_flush():
        """The descriptor is writable: send what is queued."""

    def event_output(limit):
        """Take up to *limit* bytes of ciphertext (all there is, at most ``EVENT_SIZE``, if left out).

        For a connection without a descriptor.  Room that this makes is filled again from what
        ``event_write`` queued: call it until it returns ``b""``.  From one of the connection's own callbacks
        it returns that too: what the operation under way has made may never leave, if the callback refuses.
        """

    def event_encrypt(data):
        """``event_write(data)``, and what ``event_output()`` gives then, in one step.

        For a connection without a descriptor: most writes are one record, which is to leave at once.  (On a
        descriptor, and from one of the connection's own callbacks, it is ``event_write`` alone.)

        :return: ciphertext (bytes, at most ``EVENT_SIZE``), beginning with what waited to leave before;
            ``b""`` if there is none, since *data* waits for the handshake say.  If there is more, ``wants``
            has ``WRITE``: take it with ``event_output``.
        :raises Error: as ``event_write`` does; nothing is taken then.
        """

    def event_close():
        """Send close_notify after everything that is queued.  Reading goes on (RFC 8446, section 6.1).

        :return: whether the transport has taken it already (bool); ``close_sent`` says it later.
        """

    def event_attach(transport):
        """Put a connection that has no descriptor on one, at any time.

        :param transport: an object with ``fileno()``, which the connection has then as well, at the same
            place in the stream: what was taken with ``event_output`` has left before, and what has come
            was fed.
        :raises ValueError: ciphertext waits to be taken still.
        """

    def event_release():
        """Take the connection off its descriptor, or off the object that it was made with.

        The caller carries the ciphertext from now on, that included which waits to leave.
        ``event_attach`` is the way back.
        """

    # -- the manual's face ------------------------------------------------

    def do_handshake():
        """Perform the handshake, or go on with it."""

    def recv(size, flags):
        """Receive at most *size* bytes of plaintext; ``flags`` may be ``MSG_PEEK``.

        :raises ZeroReturnError: the peer has closed its side cleanly.
        :raises TruncatedError: the transport ended without close_notify.
        """

    def recv_into(buffer, size, flags):
        """The same into a writable *buffer*; returns the number of bytes."""

    def send(data, flags):
        """Send a part of *data*; returns how many bytes went.

        After ``WantWriteError`` the same data, or the beginning of it, is to be sent again: a record of it
        (16,384 bytes at most) is on its way already, and is told then.  Other data is new, and follows it.
        """

    def sendall(data, flags):
        """Send all of *data*.  After ``WantReadError`` or ``WantWriteError`` call again with the same
        data: it goes on where it stopped.  Other data is new, and follows the record that is on its way."""

    def pending():
        """Bytes that are decrypted and can be received without waiting (int)."""

    def shutdown():
        """Send close_notify; true once the peer's has come too.

        What comes before the peer's is kept for ``recv``."""

    def renegotiate():
        """Ask for a new handshake (TLS 1.2 and before); the same as one that is under way already.

        In the event-loop face it goes on with the next event (``wants`` has ``PROCEED``), and what is
        written meanwhile waits for it.

        :raises Error: on TLS 1.3, which has none: ``key_update`` changes the keys there."""

    def key_update(request_peer):
        """Change the sending keys (TLS 1.3; RFC 8446, section 4.6.3), and ask the peer to change its own.

        In the event-loop face this never waits: it follows what has not left yet."""

    def bio_read(size):
        """Take ciphertext of a connection without a socket; WantReadError when there is none."""

    def bio_write(data):
        """Bring ciphertext to a connection without a socket; returns how much was taken."""

    def bio_shutdown():
        """Say that the transport of a connection without a socket has ended."""

    def set_accept_state():
        """Be the server."""

    def set_connect_state():
        """Be the client."""

    # -- before the handshake ----------------------------------------------

    def set_tlsext_host_name(name):
        """Ask for the server *name* (text or bytes; RFC 6066, section 3).  A client's."""

    def set_verify_host(name):
        """Accept only a peer whose certificate is for *name*, checked by OpenSSL while it verifies.

        :param name: a host name (text; others than ASCII become A-labels by ``idna`` if it is
            installed), or an IP address as text.  A certificate without a subjectAltName is refused.
            Where nothing was verified before (``VerifyMode.NONE``), this connection verifies from now on.
        """

    def set_session(session):
        """Offer to resume *session* (an ISession).  A client's."""

    def set_context(context):
        """Continue with another context; for the servername callback.

        Its certificate, callbacks, options and trust, and what it asks of the peer, hold then, but for
        what was set for this connection alone."""

    def set_verify(mode, callback):
        """As ``IContext.set_verify``, for this connection alone."""

    # -- what is known of it -------------------------------------------------

    def get_context():
        """The context in force."""

    def get_session():
        """The session (an ISession), or ``None`` before there is one."""

    def session_reused():
        """Whether the handshake resumed a session (bool)."""

    def get_peer_certificate():
        """The peer's certificate (an IX509), or ``None``."""

    def get_peer_cert_chain():
        """What the peer sent, its own certificate first (list of IX509), or ``None``."""

    def get_verified_chain():
        """The chain as verified, up to the root (list of IX509), or ``None`` if nothing was verified."""

    def get_certificate():
        """Our own certificate (an IX509), or ``None``."""

    def get_verify_result():
        """OpenSSL's verdict on the peer (int, 0 is good; *SSL_get_verify_result(3)*)."""

    def get_servername():
        """The name that the client asked for (bytes), or ``None``."""

    def get_alpn_proto_negotiated():
        """The protocol agreed on (bytes; ``b""`` if none)."""

    def get_protocol_version():
        """A ``ProtocolVersion`` number (int)."""

    def get_protocol_version_name():
        """Such as ``"TLSv1.3"`` (text)."""

    def get_cipher_name():
        """OpenSSL's name of the cipher in force (text), or ``None``."""

    def get_cipher_info():
        """The cipher in force (a ``CipherInfo``), or ``None``."""

    def get_cipher_list():
        """The names of the ciphers that would be offered, best first (list of text)."""

    def get_group_name():
        """The key exchange group of the handshake (text), or ``None``: its name in the TLS registry of
        groups, such as ``"x25519"`` or ``"secp256r1"``."""

    def export_keying_material(label, size, context):
        """Keying material of *size* bytes (RFC 5705; RFC 8446, section 7.5)."""

    def get_finished():
        """Our last Finished message (bytes), or ``None``."""

    def get_peer_finished():
        """The peer's last Finished message (bytes), or ``None``."""

    def state_string():
        """Where the handshake is, in OpenSSL's words (bytes)."""

    def want_read():
        """Whether the last operation waits for arriving bytes (bool)."""

    def want_write():
        """Whether the last operation waits for the transport to take bytes (bool)."""

    def set_app_data(data):
        """Keep any object with the connection."""

    def get_app_data():
        """That object, or ``None``."""


class IBackend(Interface):
    """One implementation of all the contracts.

    Found by entry point (group ``openssl_iface.backends``); the attributes whose names are a
    class's are that class.
    """

    name = Attribute("The entry point's name (text).")
    built = Attribute("The OpenSSL that the backend was built against (a ``Version``).")
    running = Attribute("The OpenSSL that it runs on (a ``Version``).")
    capabilities = Attribute('What this OpenSSL can do: a frozenset of names, such as ``"tls1_3"``.')

    constants = Attribute(
        "libssl's ``OP_``, ``MODE_``, ``SESS_CACHE_``... by name (a mapping to int; 0 if it has none)."
    )

    binding = Attribute(
        "For programs that reach past the contracts: cffi's ``ffi`` and ``lib``, and ``take_errors()``, "
        "which empties the thread's error queue into an exception; ``None`` if the backend has no such thing."
    )
    crypto = Attribute("The functions of the crypto module (ICrypto).")
    rand = Attribute("The functions of the rand module (IRandom).")
    PKey = Attribute("The class of IPKey.")
    X509 = Attribute("The class of IX509.")
    X509Name = Attribute("The class of IX509Name.")
    X509Extension = Attribute("The class of IX509Extension.")
    X509Req = Attribute("The class of IX509Req.")
    CRL = Attribute("The class of ICRL.")
    Revoked = Attribute("The class of IRevoked.")
    X509Store = Attribute("The class of IX509Store.")
    X509StoreContext = Attribute("The class of IX509StoreContext.")
    PKCS7 = Attribute("The class of IPKCS7.")
    PKCS12 = Attribute("The class of IPKCS12.")
    NetscapeSPKI = Attribute("The class of INetscapeSPKI.")

    Context = Attribute("Makes an IContext from a method constant.")
    Connection = Attribute("Makes an IConnection from an IContext and a socket, or ``None``.")
    Session = Attribute("The class of ISession; ``Session.from_bytes(data)`` reads one.")

    def openssl_version(what):
        """OpenSSL's words about itself (bytes; *OpenSSL_version(3)*): *what* is 0 for the version, 1 the
        compiler's flags, 2 the date, 3 the platform, 4 its directory."""

    def client_context(cafile, capath, alpn, trust):
        """A context for clients: verifies the peer, TLS 1.2 and later, the system's trust store unless a
        file, a directory or certificates are given.  The name to verify is set on each connection."""

    def event_connection(context, transport, server):
        """A connection (IConnection) for an event loop, made in one step.

        It is what ``Connection(context)`` gives, after ``event_attach(transport)`` and
        ``set_accept_state()`` or ``set_connect_state()``.

        :param context: an IContext of this backend.
        :param transport: an object with ``fileno()``; ``None``: the caller carries the ciphertext.
        :param server: whether this side is the server's (bool).
        :raises TypeError: *context* is none of this backend's.
        :raises ValueError: *transport* is closed.
        """

    def server_context(certificate, key, alpn):
        """A context for servers: TLS 1.2 and later, with *certificate* (an IX509, a sequence with its chain,
        or the path of a PEM file) and *key* (an IPKey or a path).

        :param alpn: protocols that are spoken (sequence of bytes), best first.  A client that offers none
            of them is refused with the alert no_application_protocol (RFC 7301, section 3.2); one that does
            not offer any goes on without.  Who wants another rule sets ``set_alpn_select_callback``.
        """
