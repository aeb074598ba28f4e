#!/usr/bin/env python3
"""Check a certificate and its row proof with SHA-256 only: CERTIFICATE.json ROWPROOF [trusted_root.json]

Recomputes the struck neurons from the names of the sources, rebuilds the weight root before and after the strike, and
compares both with what the statements say. With trusted_root.json also shows that every statement is in the log.
No code in common with the product. NOT checked: signatures (Python's standard library has no Ed25519), without which
anybody could have written the statements. For openssl see docs/attestation/certificate-document.md.
Exit status: 0 everything agrees, 1 something does not or is not of the expected form, 2 a file cannot be read.
"""
import base64
import bisect
import hashlib
import itertools
import json
import pathlib
import sys
import zlib

EXHIBITS = "campaign manifest training protocol erasure verification certificate".split()

def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()

def need(condition, otherwise):
    if not condition:
        raise ValueError(otherwise)

def canonical(value):  # RFC 8785 for documents without floating-point numbers whose field names are ASCII
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

def read_canonical(data, what):
    value = json.loads(data)
    need(canonical(value) == data, f"{what}: not in canonical form")
    return value

def unhex(text):
    need(text == bytes.fromhex(text).hex(), f"{text} is not lowercase hexadecimal")
    return bytes.fromhex(text)

def u32(number):
    return number.to_bytes(4, "big")

def split(count):
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

def payload_of(logged):
    return base64.b64decode(logged["envelope"]["payload"], validate=True)

def digest_of(logged):
    return sha(canonical(logged["envelope"])).hex()

def seed_of(campaign, source):
    salt, names = unhex(campaign["campaignSalt"]), (campaign["lineage"].encode(), source.encode())
    return sha(b"null-seed/v1\0", salt, *(u32(len(name)) + name for name in names))

def words(seed, layer, n, k):
    context = u32(1) + u32(layer) + u32(n) + u32(k)
    for block in itertools.count():
        digest = sha(b"null-mask/v1\0", bytes([len(context)]), context, seed, u32(block))
        yield from (int.from_bytes(digest[at : at + 8], "big") for at in range(0, 32, 8))

def mask(seed, layer, n, k):
    """Exactly k of n neurons: Floyd's sampling; words that would favour small numbers are drawn again."""
    need(0 <= k <= n, "a segment lights more neurons than it has")
    stream, lit = words(seed, layer, n, k), set()
    for j in range(n - k, n):
        drawn = next(word for word in stream if word < 2**64 - 2**64 % (j + 1)) % (j + 1)
        lit.add(j if drawn in lit else drawn)
    return lit

def pool(document, said):
    """Gives the segment with an index, after showing that every extension of the pool continues it without a gap."""
    segments, previous = said["campaign"]["predicate"]["segments"], None
    runs = [(index, 1, s["base"], s["n"], s["k"]) for index, s in enumerate(segments)]
    first, base = len(segments), max((s["base"] + s["n"] for s in segments), default=0)
    for logged in document.get("extensions", []):
        statement = read_canonical(payload_of(logged), "pool extension")
        extension, n, k, count = statement["predicate"], *(statement["predicate"][size] for size in ("n", "k", "count"))
        need(statement["predicateType"].endswith("/attestation/pool-extension/v1"), "not a pool extension")
        cited = [extension["campaign"], extension.get("previous")]
        wanted = [digest_of(document["exhibits"][0]), previous]
        need(cited == wanted, "a pool extension does not cite the campaign and the extension before it")
        continues = [extension["firstSegment"], extension["base"]] == [first, base]
        need(continues and 0 < k <= n and count > 0, "a pool extension does not continue the pool")
        runs.append((first, count, base, n, k))
        previous, first, base = digest_of(logged), first + count, base + count * n
    need(base < 2**32, "the pool is larger than neuron numbers")
    need(said["manifest"]["predicate"].get("extension") == previous, "the manifest rests on another pool")
    def segment(index):
        for first, count, base, n, k in runs:
            if first <= index < first + count:
                return base + (index - first) * n, n, k
        raise ValueError("a record names no segment of the pool")
    return segment

def struck_neurons(document, said):
    """Neurons of the listed sources, layer by layer, after showing that the manifest has their records."""
    segment, campaign, erasure = pool(document, said), said["campaign"]["predicate"], said["erasure"]["predicate"]
    need(campaign["maskScheme"] == "null-mask/v1" and campaign["layers"] <= 1024, "unknown masks")
    count = said["manifest"]["predicate"]["count"]
    manifest_root = unhex(said["manifest"]["subject"][0]["digest"]["sha256"])
    per_layer, listed = [set() for _ in range(campaign["layers"])], []
    for place in document["sources"]:
        record, record_bytes = json.loads(place["record"]), place["record"].encode()
        leaf = sha(b"\0", unhex(place["key"]), record_bytes)
        found = root_by_path(leaf, place["index"], count, [*map(unhex, place["path"])])
        need(found == manifest_root, f"the record of {record['source']} is not in the manifest")
        seed = seed_of(campaign, record["source"])
        need(seed.hex() == record["seed"], f"{record['source']}: the record's seed is not that of its name")
        base, n, k = segment(record["segment"])
        need(k * campaign["layers"] <= 1 << 17, "absurdly many neurons")
        for layer, lit in enumerate(per_layer):
            drawn_for = 0 if campaign["sameMaskInAllLayers"] else layer
            lit.update(base + j for j in mask(seed, drawn_for, n, k))
        listed.append([place["key"], sha(record_bytes).hex()])
    need(listed and listed == sorted(listed), "the sources are not ascending by key")
    need([erasure["sourceCount"], erasure["sources"]] == [len(listed), sha(canonical(listed)).hex()], "other sources")
    lists = [sorted(lit) for lit in per_layer]
    said_of = [erasure["neuronCount"], erasure["neurons"]]
    need(said_of == [sum(map(len, lists)), sha(canonical(lists)).hex()], "the erasure is about other neurons")
    print(f"ok   sources: {len(listed)}, in the manifest, {erasure['neuronCount']} neurons recomputed from their names")
    return lists

def leaf_numbers(layout, neurons):
    """The leaf of each struck neuron, with the hash that it has when all its bytes are zero."""
    first, names, zero = 0, [], {}
    sinks = {f"layers.{layer}.mlp.sinks": lit for layer, lit in enumerate(neurons)}
    for place in layout:
        names.append(place["name"].encode())
        need(place["first_leaf"] == first and 0 < place["row_bytes"] <= 1 << 24, "the layout is inconsistent")
        for row in sinks.pop(place["name"], []):
            need(row < place["rows"], "the layout has no such neuron")
            header = b"\0null-weights/v1\0" + len(names[-1]).to_bytes(2, "big") + names[-1] + u32(row)
            zero[first + row] = sha(header, bytes(place["row_bytes"]))
        first += place["rows"]
    need(names == sorted(set(names)), "the layout's names do not ascend")
    need(not sinks and sum(b".mlp.sinks" in name for name in names) == len(neurons), "sinks in other layers")
    return first, zero

def rebuilt_roots(proof, leaf_count, zero):
    leaves, kind = proof["zeroed_leaves"], [proof["format"], proof["leaf_count"]]
    need(kind == ["null-rowproof/v1", leaf_count], "the row proof has another format or is of another tree")
    need(leaves == sorted(zero), "the row proof zeroes other leaves than the masks give")
    need(len(proof["before_leaves"]) == len(leaves), "the row proof has not one old hash for each leaf")
    before = dict(zip(leaves, map(unhex, proof["before_leaves"])))
    siblings = map(unhex, proof["siblings"])
    def walk(start, count):
        if bisect.bisect_left(leaves, start) == bisect.bisect_left(leaves, start + count):
            return (next(siblings),) * 2
        if count == 1:
            return before[start], zero[start]
        half = split(count)
        left, right = walk(start, half), walk(start + half, count - half)
        return sha(b"\1", left[0], right[0]), sha(b"\1", left[1], right[1])
    roots = walk(0, leaf_count)
    need(next(siblings, None) is None, "the row proof has too many siblings")
    return [root.hex() for root in roots]

def check_citations(document, said):
    digest = {e["exhibit"]: digest_of(e) for e in document["exhibits"]}
    cited = [("manifest", "campaign"), ("training", "manifest"), ("erasure", "manifest"), ("erasure", "training"),
             ("verification", "protocol"), ("certificate", "erasure"), ("certificate", "verification")]
    for citing, other in cited:
        need(said[citing]["predicate"][other] == digest[other], f"{citing} cites another {other}")
    erasure, certificate = said["erasure"]["predicate"], said["certificate"]["predicate"]
    for field in ["rootBefore", "rootAfter", "rowProof", "level"]:
        need(erasure[field] == certificate[field], f"certificate and erasure differ in {field}")
    subjects = [said[exhibit]["subject"][0]["digest"] for exhibit in EXHIBITS[4:]]
    need(subjects == [{"nullWeightTreeV1": erasure["rootAfter"]}] * 3, "a subject is not the weight root after")
    trained, adapted = said["training"]["subject"][0]["digest"].get("nullWeightTreeV1"), said["training"]["predicate"]
    earlier = erasure["generation"] - adapted.get("adaptation", {"generation": 0})["generation"] - 1
    need(earlier > 0 or earlier == 0 and trained == erasure["rootBefore"], "the strike starts from other weights")
    print("ok   citations: every statement cites the others by their digests")

def check_log(document, trust):
    """Every statement's place under the checkpoint. A leaf holds the signer's public key, hence the trusted root."""
    text = document["checkpoint"].partition("\n\n")[0].split("\n")
    need(len(text) == 3 and text[0] == trust["logOrigin"], "the checkpoint is of another log")
    statements = document["exhibits"] + document.get("extensions", [])
    for logged in statements:
        envelope = logged["envelope"]
        key = next((k for k in trust["keys"] if k["keyid"] == envelope["signatures"][0]["keyid"]), None)
        need(key, f"{logged['exhibit']}: signed by a key that is not trusted")
        signer = {"verifier": base64.b64encode(key["publicKey"].encode()).decode()}
        signer["signature"] = envelope["signatures"][0]["sig"]
        hashed = canonical(envelope), payload_of(logged)
        hashes = [{"algorithm": "sha256", "value": sha(part).hex()} for part in hashed]
        spec = {"envelopeHash": hashes[0], "payloadHash": hashes[1], "signatures": [signer]}
        leaf = sha(b"\0", canonical({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec}))
        found = root_by_path(leaf, logged["index"], int(text[1]), [*map(unhex, logged["path"])])
        need(found == base64.b64decode(text[2]), f"{logged['exhibit']}: not in the log")
    print(f"ok   log: all {len(statements)} statements are among the {text[1]} leaves of {text[0]}")

def check(certificate, proof_file, trust=None):
    document = read_canonical(certificate, "certificate")
    exhibits, extensions = document["exhibits"], document.get("extensions", [])
    need("extensions" not in document or extensions, "an empty list of extensions is not written")
    indices = [e["index"] for e in exhibits[:1] + extensions + exhibits[1:]]
    in_order = [e["exhibit"] for e in exhibits] == EXHIBITS and indices == sorted(set(indices))
    in_order = in_order and all(e["exhibit"] == "poolExtension" for e in extensions)
    need(in_order and document["format"] == "obelus-certificate/v1", "the exhibits are not one of each, in log order")
    payloads = [payload_of(e) for e in exhibits]
    said = {name: read_canonical(payload, name) for name, payload in zip(EXHIBITS, payloads)}
    need(document["rowProofFile"] == said["certificate"]["predicate"]["id"] + ".rowproof.json", "another file name")
    check_citations(document, said)
    check_log(document, json.loads(trust)) if trust else print("left out: places in the log (no trusted_root.json)")
    erasure, layout = said["erasure"]["predicate"], sha(canonical(document["layout"])).hex()
    need(layout == erasure["layout"] == said["training"]["predicate"]["layout"], "the layout is not the stated one")
    leaf_count, zero = leaf_numbers(document["layout"], struck_neurons(document, said))
    need(sha(proof_file).hex() == erasure["rowProof"], "the row proof is not the file that the erasure cites")
    if proof_file.startswith(b"\x1f\x8b"):
        proof_file = zlib.decompressobj(wbits=31).decompress(proof_file, 256 << 20)
    roots = rebuilt_roots(read_canonical(proof_file, "row proof"), leaf_count, zero)
    need(roots == [erasure["rootBefore"], erasure["rootAfter"]], "a rebuilt root is not the stated one")
    print(f"ok   row proof: exactly {len(zero)} of {leaf_count} leaves became zero, nothing else changed")

if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(print(__doc__) or 2)
    try:
        check(*[pathlib.Path(path).read_bytes() for path in sys.argv[1:]])
    except OSError as error:
        sys.exit(print(f"cannot read: {error}") or 2)
    except Exception as error:  # whatever a hostile file provokes, it is not verified
        sys.exit(print(f"FAIL {error}") or 1)
    print("Everything agrees. NOT checked here: signatures (see the head of this file).")
