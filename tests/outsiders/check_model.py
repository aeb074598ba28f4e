#!/usr/bin/env python3
"""Check signatures of model folders with OpenSSF Model Signing: KEY.pem FOLDER...

Each FOLDER holds `model.sig`. Nothing is known of Obelus: the package model_signing verifies the signature with the given
P-256 key and hashes the folder's files anew; how, it reads in the signature.

Prints a line for each folder, `ok FOLDER` or `REFUSED FOLDER REASON`. Exit status 0 if all are accepted, 1 if not.
Install what it needs: pip install model-signing pyOpenSSL
"""
import pathlib
import sys

from model_signing import verifying


def main(pem, *folders):
    refused = 0
    for folder in folders:
        try:
            # A configuration serves once: it learns from the first signature what to ignore.
            config = verifying.Config().use_elliptic_key_verifier(public_key=pem)
            config.verify(pathlib.Path(folder), pathlib.Path(folder) / "model.sig")
            print(f"ok {folder}")
        except Exception as error:  # whatever goes wrong on the way, the folder is not accepted
            refused = 1
            print(f"REFUSED {folder} {type(error).__name__}: {error}".replace("\n", " "))
    return refused


sys.exit(main(*sys.argv[1:]))
