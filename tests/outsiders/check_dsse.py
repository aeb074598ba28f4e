#!/usr/bin/env python3
"""Check signed statements with securesystemslib and in-toto-attestation: KEY.pem FILE...

A FILE is a DSSE envelope, or a Sigstore bundle with one inside. Nothing is known of Obelus: the key's id is the one that
securesystemslib gives the PEM, so an envelope is accepted only if it names that id and the signature verifies; then its
payload must be an in-toto Statement v1 that the package in_toto_attestation reads and finds valid.

Prints a line for each file, `ok FILE PREDICATE-TYPE` or `REFUSED FILE REASON`. Exit status 0 if all are accepted, 1 if
not, 2 if the key cannot be used. Install what it needs: pip install securesystemslib cryptography in-toto-attestation
"""
import json
import sys

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey


def check(path, key):
    with open(path, "rb") as file:
        document = json.load(file)
    envelope = Envelope.from_dict(document.get("dsseEnvelope", document))
    envelope.verify([key], threshold=1)
    if envelope.payload_type != "application/vnd.in-toto+json":
        raise ValueError(f"the payload type is {envelope.payload_type}")
    # The reader of protocol buffers refuses members that a statement does not have.
    read = json_format.Parse(envelope.payload.decode(), statement_pb2.Statement())
    Statement.copy_from_pb(read).validate()
    return read.predicate_type


def main(pem, *paths):
    try:
        with open(pem, "rb") as file:
            key = SSlibKey.from_crypto(load_pem_public_key(file.read()))
    except Exception as error:
        print(f"{pem}: {error}", file=sys.stderr)
        return 2
    refused = 0
    for path in paths:
        try:
            print(f"ok {path} {check(path, key)}")
        except Exception as error:  # whatever goes wrong on the way, the file is not accepted
            refused = 1
            print(f"REFUSED {path} {type(error).__name__}: {error}".replace("\n", " "))
    return refused


sys.exit(main(*sys.argv[1:]))
