#!/usr/bin/env python3
"""Check that a statement is in the log, or that a copied log is whole:

    check_log.py ID.json LOG.vkey [SIGNER.pem]      a bundle: its statement is in the log; with a key, who signed it
    check_log.py ID.tlog-proof LOG.vkey [ID.json]   a log proof: its leaf is in the log; with the bundle, whose leaf it is
    check_log.py FOLDER LOG.vkey                    a log from zero: every tile against the entries, the root against both

Hashes are checked here; Ed25519 signatures by openssl, and where there is none that is said. Keys and LOG.vkey must come
from elsewhere than the files. NOT checked: when a key was in use, what the statement says, and whether other people were
shown another log: compare checkpoints with them.
Exit status: 0 everything agrees, 1 something does not or is not of the expected form, 2 a file cannot be read.
"""
import base64
import json
import pathlib

from evidence import (check_signature, checkpoint_of, finish, log_leaf, need, open_bundle, read_canonical, root_by_path,
                      sha, signed_bytes, split, unbase64)

WIDTH = 256  # hashes of a whole tile

def check_checkpoint(checkpoint, vkey):
    """The note's origin and signature by the key of a line NAME+HEX+BASE64."""
    name, hint, key = vkey.strip().split("+", 2)
    key = unbase64(key)
    need(len(key) == 33 and key[0] == 1, "the log's key is not an Ed25519 key")
    log_id = sha(name.encode(), b"\n", key)
    need(log_id[:4].hex() == hint and checkpoint[0] == name, "the checkpoint is of another log")
    signatures = [raw[4:] for signer, raw in checkpoint[4] if signer == name and raw[:4] == log_id[:4]]
    need(len(signatures) == 1, "the checkpoint has not one signature by the key of this log")
    body = base64.b64encode(bytes.fromhex("302a300506032b6570032100") + key[1:])
    pem = b"-----BEGIN PUBLIC KEY-----\n" + body + b"\n-----END PUBLIC KEY-----\n"
    check_signature(f"checkpoint of {checkpoint[1]} leaves", pem, checkpoint[3], signatures[0])
    return log_id

def check_bundle(data, vkey, signer):
    bundle = read_canonical(data, "bundle")
    statement, index, checkpoint, pem = open_bundle(bundle)
    print(f"ok   log: {statement['predicateType']} is entry {index} of {checkpoint[1]} in {checkpoint[0]}")
    log_id = check_checkpoint(checkpoint, vkey)
    named = bundle["verificationMaterial"]["tlogEntries"][0]["logId"]["keyId"]
    need(unbase64(named) == log_id, "the bundle names another log")
    if signer is None:
        return print("left out: who signed the statement (no public key was given)")
    need(signer == pem, "the statement is signed by another key")
    envelope = bundle["dsseEnvelope"]
    check_signature("statement", pem, signed_bytes(envelope), unbase64(envelope["signatures"][0]["sig"]))

def check_proof(data, vkey, bundle):
    head, blank, note = data.decode().partition("\n\n")
    first, extra, index, *path = head.split("\n")
    need(blank and first == "c2sp.org/tlog-proof@v1", "not a log proof")
    need(extra.startswith("extra ") and index.startswith("index "), "the proof has no leaf or no index")
    body, index, checkpoint = unbase64(extra[6:]), int(index[6:]), checkpoint_of(note)
    need(head.split("\n")[2] == f"index {index}", "the index has another spelling")
    found = root_by_path(sha(b"\0", body), index, checkpoint[1], [*map(unbase64, path)])
    need(found == checkpoint[2], "the leaf is not in the log: its path does not lead to the checkpoint's root")
    print(f"ok   log: the leaf is entry {index} of {checkpoint[1]} in {checkpoint[0]}")
    check_checkpoint(checkpoint, vkey)
    if bundle is None:
        return print("left out: whose leaf it is (no bundle was given)")
    bundle = read_canonical(bundle, "bundle")
    pem = unbase64(json.loads(body)["spec"]["signatures"][0]["verifier"])
    need(log_leaf(bundle["dsseEnvelope"], pem) == body, "the leaf is of another statement than the bundle's")
    print("ok   leaf: it is that of the bundle's statement")

def root_of(hashes):
    if len(hashes) <= 1:
        return hashes[0] if hashes else sha()
    half = split(len(hashes))
    return sha(b"\1", root_of(hashes[:half]), root_of(hashes[half:]))

def tile_path(level, number, width):
    digits = f"{number:0{-(-len(str(number)) // 3) * 3}d}"
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    name = "/".join(["x" + group for group in groups[:-1]] + groups[-1:])
    return f"tile/{level}/{name}" + (f".p/{width}" if width < WIDTH else "")

def entries_in(data):
    entries, at = [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        need(end <= len(data), "a tile of entries is cut off")
        entries.append(data[at + 2 : end])
        at = end
    return entries

def read_tile(folder, level, number, width, parse):
    """The first `width` items of a tile; a log that has grown since may have kept the whole tile only."""
    file = folder / tile_path(level, number, width)
    items = parse((file if file.exists() else folder / tile_path(level, number, WIDTH)).read_bytes())
    need(len(items) >= width, f"{file}: has {len(items)} items and not {width}")
    return items[:width]

def check_folder(folder, vkey):
    checkpoint = checkpoint_of((folder / "checkpoint").read_bytes().decode())
    size, tiles = checkpoint[1], 0
    tiles_of = lambda count: [(at, min(WIDTH, count - at * WIDTH)) for at in range(-(-count // WIDTH))]
    entries = [entry for tile in tiles_of(size) for entry in read_tile(folder, "entries", *tile, entries_in)]
    level, hashes = 0, [sha(b"\0", entry) for entry in entries]
    root = root_of(hashes)
    need(root == checkpoint[2], "the root over all entries is not the one in the checkpoint")
    print(f"ok   log: the root over all {size} entries is that of the checkpoint of {checkpoint[0]}")
    check_checkpoint(checkpoint, vkey)
    cut = lambda data: [data[at : at + 32] for at in range(0, len(data), 32)]
    while hashes:
        for number, width in tiles_of(len(hashes)):
            wanted = hashes[number * WIDTH : number * WIDTH + width]
            found = read_tile(folder, level, number, width, cut)
            need(found == wanted, f"{tile_path(level, number, width)}: other hashes than the entries give")
            tiles += 1
        whole = range(0, len(hashes) - WIDTH + 1, WIDTH)
        level, hashes = level + 1, [root_of(hashes[at : at + WIDTH]) for at in whole]
    print(f"ok   tiles: all {tiles} hold the hashes that the entries give")
    print("left out: tiles beyond the checkpoint, and narrower tiles of earlier checkpoints, if there are any")

def check(path, vkey_path, other=None):
    path, vkey = pathlib.Path(path), pathlib.Path(vkey_path).read_text(encoding="utf-8")
    other = other and pathlib.Path(other).read_bytes()
    if path.is_dir():
        return check_folder(path, vkey)
    data = path.read_bytes()
    (check_proof if data.startswith(b"c2sp.org/tlog-proof@") else check_bundle)(data, vkey, other)

if __name__ == "__main__":
    finish(check, __doc__, (2, 3))
