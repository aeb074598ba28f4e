"""What the checks beside this file share: reading without trusting, SHA-256 trees, bundles, and openssl for signatures.

Nothing here decides anything by itself. `need` ends a check; `finish` turns that into an exit status.
"""
import base64
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

ATTESTATION = "https://obelus.dev/attestation/"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"

def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()

def need(condition, otherwise):
    if not condition:
        raise ValueError(otherwise)

def no_float(text):
    raise ValueError(f"the number {text}; signed documents have integers only")

def canonical(value):  # RFC 8785 for documents without floating-point numbers whose field names are ASCII
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

def read_canonical(data, what):
    """Refuses every byte that the contents do not give: other spacing, an order, a field that stands there twice."""
    value = json.loads(data, parse_float=no_float, parse_constant=no_float)
    need(canonical(value) == data, f"{what}: not in canonical form")
    return value

def unhex(text):
    need(text == bytes.fromhex(text).hex(), f"{text} is not lowercase hexadecimal")
    return bytes.fromhex(text)

def unbase64(text):
    data = base64.b64decode(text, validate=True)
    need(base64.b64encode(data).decode() == text, "base64 in another spelling")
    return data

def split(count):
    """Where an RFC 6962 tree of `count` leaves splits: at the largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)

def root_by_path(leaf, index, size, path):
    """Root of an RFC 6962 tree of `size` leaves by the audit path of one of them, lowest sibling first."""
    need(0 <= index < size and bool(path) == (size > 1), "an audit path does not fit its tree")
    if size == 1:
        return leaf
    half = split(size)
    if index < half:
        return sha(b"\1", root_by_path(leaf, index, half, path[:-1]), path[-1])
    return sha(b"\1", path[-1], root_by_path(leaf, index - half, size - half, path[:-1]))

def payload_of(envelope):
    need(envelope["payloadType"] == "application/vnd.in-toto+json", "the payload is no in-toto statement")
    return unbase64(envelope["payload"])

def signed_bytes(envelope):
    """What the signature of an envelope is over: DSSE's pre-authentication encoding."""
    payload = payload_of(envelope)
    return b"DSSEv1 28 application/vnd.in-toto+json %d " % len(payload) + payload

def digest_of(envelope):
    """How statements cite each other."""
    return sha(canonical(envelope)).hex()

def log_leaf(envelope, public_key_pem):
    """The bytes that the log holds for an envelope: digests, signature and key, no content."""
    signer = {"signature": envelope["signatures"][0]["sig"], "verifier": base64.b64encode(public_key_pem).decode()}
    hashes = [{"algorithm": "sha256", "value": sha(part).hex()} for part in (canonical(envelope), payload_of(envelope))]
    spec = {"envelopeHash": hashes[0], "payloadHash": hashes[1], "signatures": [signer]}
    return canonical({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec})

def checkpoint_of(note):
    """Origin, size and root of a signed note, its signed text, and its signatures with the names beside them."""
    text, blank, lines = note.partition("\n\n")
    origin, size, root = text.split("\n")
    need(blank and size == str(int(size)) and lines.endswith("\n"), "not a signed checkpoint")
    signatures = [line.split(" ") for line in lines[:-1].split("\n")]
    need(all(len(parts) == 3 and parts[0] == "\u2014" for parts in signatures), "a signature line has another form")
    signatures = [(name, unbase64(raw)) for _, name, raw in signatures]
    need(len(unbase64(root)) == 32, "the checkpoint's root has not 32 bytes")
    return origin, int(size), unbase64(root), (text + "\n").encode(), signatures

def open_bundle(bundle):
    """Statement, log index and checkpoint of a bundle, after showing that its leaf is in the tree of the checkpoint."""
    envelope, material = bundle["dsseEnvelope"], bundle["verificationMaterial"]
    [entry], [signature] = material["tlogEntries"], envelope["signatures"]
    proof = entry["inclusionProof"]
    need(bundle["mediaType"] == BUNDLE and len(bundle) == 3, "not a bundle")
    statement = read_canonical(payload_of(envelope), "statement")
    body = unbase64(entry["canonicalizedBody"])
    pem = unbase64(json.loads(body)["spec"]["signatures"][0]["verifier"])
    need(body == log_leaf(envelope, pem), "the leaf in the bundle is of another statement")
    need(material["publicKey"]["hint"] == signature["keyid"], "the bundle names two keys")
    index, checkpoint = int(entry["logIndex"]), checkpoint_of(proof["checkpoint"]["envelope"])
    said = [proof["logIndex"], proof["treeSize"], unbase64(proof["rootHash"])]
    need(said == [entry["logIndex"], str(checkpoint[1]), checkpoint[2]], "the bundle contradicts its checkpoint")
    found = root_by_path(sha(b"\0", body), index, checkpoint[1], [*map(unbase64, proof["hashes"])])
    need(found == checkpoint[2], "the statement is not in the log: its path does not lead to the checkpoint's root")
    return statement, index, checkpoint, pem

def signature_holds(pem, message, signature):
    """Asks openssl whether an Ed25519 signature holds; None where there is no openssl to ask."""
    if not shutil.which("openssl"):
        return None
    with tempfile.TemporaryDirectory() as folder:
        files = [pathlib.Path(folder, name) for name in ("key", "message", "signature")]
        for file, data in zip(files, (pem, message, signature)):
            file.write_bytes(data)
        command = "openssl pkeyutl -verify -pubin -inkey {} -rawin -in {} -sigfile {}".format(*files)
        return subprocess.run(command.split(), capture_output=True, check=False).returncode == 0

def check_signature(what, pem, message, signature):
    holds = signature_holds(pem, message, signature)
    need(holds is not False, f"{what}: the signature does not hold")
    said = f"ok   {what}: the signature holds, says openssl"
    print(said if holds else f"left out: signature of the {what} (openssl is not installed)")

def finish(check, explanation, counts):
    """Runs a check on the files that the command line names. 0 holds, 1 does not, 2 a file cannot be read."""
    if len(sys.argv) - 1 not in counts:
        sys.exit(print(explanation) or 2)
    try:
        check(*sys.argv[1:])
    except OSError as error:
        sys.exit(print(f"cannot read: {error}") or 2)
    except Exception as error:  # whatever a hostile file provokes, it is not verified
        sys.exit(print(f"FAIL {type(error).__name__}: {error}") or 1)
