#!/usr/bin/env python3
"""Check that a source is, or is not, in the signed list of sources that a model was trained on:

    check_manifest.py PRESENCE.json|ABSENCE.json [REGISTRAR.pem LOG.vkey]

The document carries the manifest statement as a bundle. Its place in the log and the source's place in the manifest are
recomputed with SHA-256, an absence with HMAC-SHA-256 under the manifest key that the document reveals. With the two
keys, openssl checks the signatures. NOT checked: that the model was trained on this manifest (its training statement
cites it), that no text of the source stands in another record, and the seed in the record (check_mask.py).
Exit status: 0 everything agrees, 1 something does not or is not of the expected form, 2 a file cannot be read.
"""
import hmac
import pathlib

from check_log import check_bundle
from evidence import ATTESTATION, canonical, finish, need, open_bundle, read_canonical, root_by_path, sha, unhex

def record_of(place, count, root):
    """The record, after showing that the manifest has it under this key."""
    need(set(place) == {"index", "key", "path", "record"}, "a place in the manifest has other fields")
    record = read_canonical(place["record"].encode(), "record")
    leaf = sha(b"\0", unhex(place["key"]), place["record"].encode())
    found = root_by_path(leaf, place["index"], count, [*map(unhex, place["path"])])
    need(found == root, "a record is not in the manifest")
    return record

def check_presence(document, count, root):
    record = record_of(document["presence"], count, root)
    need(record["source"] == document["source"], "the record is of another source")
    print(f"ok   presence: {record['source']!r} is record {document['presence']['index']} of {count}")
    print(f"     its documents: {record['documents']}, licence {record['license']!r}, mask seed {record['seed']}")
    print("left out: whether it stands under its own key, which only the manifest key shows")

def check_absence(document, count, root):
    """The records are sorted by key, so two neighbours leave no room between them."""
    key_of = lambda source: hmac.digest(unhex(document["manifestKey"]), source.encode(), "sha256")
    need(len(unhex(document["manifestKey"])) == 32, "the manifest key has not 32 bytes")
    before, after = document["absence"]["before"], document["absence"]["after"]
    for place in filter(None, (before, after)):
        named = key_of(record_of(place, count, root)["source"]).hex()
        need(named == place["key"], "a neighbour does not stand under its own key")
    first = before["index"] + 1 if before else 0
    last = after["index"] if after else count
    need(first == last, "the neighbours do not stand side by side, or an end is missing")
    wanted = key_of(document["source"]).hex()
    need((not before or before["key"] < wanted) and (not after or wanted < after["key"]), "the source stands elsewhere")
    need(count > 0 or root == sha(), "an empty manifest has another root")
    print(f"ok   absence: no record of {document['source']!r} among {count}")

def check(path, registrar=None, vkey=None):
    data = pathlib.Path(path).read_bytes()
    document = read_canonical(data, "document")
    kind = {"obelus-presence/v1": ("presence", check_presence), "obelus-absence/v1": ("absence", check_absence)}
    member, shown = kind[document["format"]]
    wanted = {"format", "manifest", "source", member} | ({"manifestKey"} if member == "absence" else set())
    need(set(document) == wanted, "the document has other fields")
    statement, index, checkpoint, _ = open_bundle(document["manifest"])
    need(statement["predicateType"] == ATTESTATION + "source-manifest/v1", "the statement is no manifest")
    print(f"ok   manifest: of lineage {statement['predicate']['lineage']!r}, entry {index} of {checkpoint[0]}")
    shown(document, statement["predicate"]["count"], unhex(statement["subject"][0]["digest"]["sha256"]))
    if vkey:
        keys = pathlib.Path(vkey).read_text(encoding="utf-8"), pathlib.Path(registrar).read_bytes()
        return check_bundle(canonical(document["manifest"]), *keys)
    print("left out: signatures, without which anybody could have written the manifest (no keys were given)")

if __name__ == "__main__":
    finish(check, __doc__, (1, 3))
