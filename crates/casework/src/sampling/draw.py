import hashlib, json, sys
data, seed = open(sys.argv[1], "rb").read(), sys.argv[2].encode()
population = json.loads(data)
assert hashlib.sha256(seed).hexdigest() == population["seedDigest"], "another seed was committed to"
rank = lambda case: hashlib.sha256(seed + b"\0" + case["reference"].encode()).digest()
print("population", hashlib.sha256(data).hexdigest())
for case in sorted(population["cases"], key=rank)[:population["size"]]:
    print(case["reference"])
