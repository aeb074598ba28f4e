#!/usr/bin/env python3
"""Check signatures of model folders with OpenSSF Model Signing: KEY.pem FOLDER...

Each FOLDER holds `model.sig`. Nothing is known of Obelus: the package model_signing verifies the signature with the given
P-256 key and hashes the folder's files anew; how, it reads in the signature.

Prints a line for each folder, `ok FOLDER ROOT` or `REFUSED FOLDER REASON`. ROOT is the package's own digest of the folder,
by which other statements may name the model. Exit status 0 if all are accepted, 1 if not.

A file below `.git` or `.github`, a `.gitattributes` and a `.gitignore` at the top of the folder are never looked at.
Install what it needs: pip install model-signing pyOpenSSL
"""
import hashlib
import pathlib
import sys

from model_signing import hashing, verifying


def root(folder):
    """The `sha256` of a signature's subject: over the digests of the files, in the order of the package."""
    manifest = hashing.Config().set_ignored_paths(paths=["model.sig"]).hash(folder)
    digests = b"".join(one.digest.digest_value for one in manifest.resource_descriptors())
    return hashlib.sha256(digests).hexdigest()


def main(pem, *folders):
    refused = 0
    for folder in folders:
        try:
            # A configuration serves once: it learns from the first signature what to ignore.
            config = verifying.Config().use_elliptic_key_verifier(public_key=pem)
            config.verify(pathlib.Path(folder), pathlib.Path(folder) / "model.sig")
            print(f"ok {folder} {root(pathlib.Path(folder))}")
        except Exception as error:  # whatever goes wrong on the way, the folder is not accepted
            refused = 1
            print(f"REFUSED {folder} {type(error).__name__}: {error}".replace("\n", " "))
    return refused


sys.exit(main(*sys.argv[1:]))
