#!/usr/bin/env python3
"""From a source's name to its neurons with SHA-256 only. Read this first: it is all that a source's mask follows from.

    check_mask.py VECTORS.json                                   our vectors: crates/mask/tests/vectors/null-v1.json
    check_mask.py SALT LINEAGE SOURCE LAYERS BASE N K [same]     prints the seed, and the neurons in every layer

Salt, lineage, layers and the pool's segment (first neuron, neurons, lit neurons) stand in the signed campaign statement.
`same` when its sameMaskInAllLayers is true. With it, compare the seed with the one in the source's record.
NOT checked: that the statement is signed and logged (check_log.py), and what became of the neurons (check_row_proof.py).
Exit status: 0 everything agrees, 1 something does not, 2 a file cannot be read.
"""
import hashlib
import itertools
import json
import pathlib
import sys

def u32(number):
    return number.to_bytes(4, "big")

def seed_of(salt, lineage, source):
    names = (lineage.encode(), source.encode())
    return hashlib.sha256(b"null-seed/v1\0" + salt + b"".join(u32(len(name)) + name for name in names)).digest()

def words(seed, layer, n, k):
    """An endless stream of 64-bit numbers: four from each block."""
    context = u32(1) + u32(layer) + u32(n) + u32(k)
    for block in itertools.count():
        digest = hashlib.sha256(b"null-mask/v1\0" + bytes([len(context)]) + context + seed + u32(block)).digest()
        yield from (int.from_bytes(digest[at : at + 8], "big") for at in range(0, 32, 8))

def mask(seed, layer, n, k):
    """Exactly k of n neurons: Floyd's sampling; words that would favour small numbers are drawn again."""
    if not 0 <= k <= n < 2**32:
        raise ValueError("a segment lights more neurons than it has")
    stream, lit = words(seed, layer, n, k), set()
    for j in range(n - k, n):
        drawn = next(word for word in stream if word < 2**64 - 2**64 % (j + 1)) % (j + 1)
        lit.add(j if drawn in lit else drawn)
    return lit

def check_vectors(path):
    vectors = json.loads(pathlib.Path(path).read_bytes())
    seeds, masks = vectors["null-seed/v1"], vectors["null-mask/v1"]
    for one in seeds:
        found = seed_of(bytes.fromhex(one["campaign_salt"]), one["lineage"], one["source"]).hex()
        if found != one["seed"]:
            raise ValueError(f"{one['source']}: the seed is {found}")
    for one in masks:
        lit = sorted(mask(bytes.fromhex(one["seed"]), one["layer"], one["n"], one["k"]))
        digest = hashlib.sha256(b"".join(map(u32, lit))).hexdigest()  # long lists are given by their digest
        if one.get("neurons", lit) != lit or one.get("sha256_of_u32be_list", digest) != digest or len(lit) != one["k"]:
            raise ValueError(f"layer {one['layer']}, {one['k']} of {one['n']}: other neurons")
    if not seeds or not masks:
        raise ValueError("there are no vectors")
    print(f"ok   {len(seeds)} seeds and {len(masks)} masks are those of the vectors")

def show(salt, lineage, source, layers, base, n, k, same=""):
    seed, sizes = seed_of(bytes.fromhex(salt), lineage, source), [int(size) for size in (layers, base, n, k)]
    print(f"seed {seed.hex()}")
    for layer in range(sizes[0]):
        lit = mask(seed, 0 if same == "same" else layer, *sizes[2:])
        print(f"layer {layer}:", *(sizes[1] + j for j in sorted(lit)))

if __name__ == "__main__":
    if len(sys.argv) not in (2, 8, 9):
        sys.exit(print(__doc__) or 2)
    try:
        (check_vectors if len(sys.argv) == 2 else show)(*sys.argv[1:])
    except OSError as error:
        sys.exit(print(f"cannot read: {error}") or 2)
    except Exception as error:  # whatever a hostile file provokes, it does not agree
        sys.exit(print(f"FAIL {type(error).__name__}: {error}") or 1)
