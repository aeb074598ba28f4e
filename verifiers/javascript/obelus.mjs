// Checks the evidence of Obelus with WebCrypto and nothing else: SHA-256, HMAC-SHA-256 and Ed25519. The same text runs in
// node (check.mjs) and in the page web/static/verify.html. It shares no code with the product. Not here: reading files,
// showing results, documents of adaptations, and everything that docs/attestation says no file can prove.
//
// Order of this file: bytes and JSON, trees, keys and log, what statements look like, masks, row proof, the documents.

const MIB = 1 << 20;
const LARGEST_FILE = 64 * MIB, LARGEST_PROOF = 256 * MIB, LARGEST_NOTE = 64 << 10, DEEPEST_JSON = 32;
const MOST_LAYERS = 1 << 10, MOST_NEURONS_OF_A_SOURCE = 1 << 17, LARGEST_ROW = 1 << 24, MOST_ZERO_BYTES = 2 ** 34;

// ---- bytes and JSON

const encoder = new TextEncoder();
const utf8 = (text) => encoder.encode(text);
const decode = (bytes) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);

function need(condition, otherwise) {
  if (!condition) throw new Error(otherwise);
}

function concat(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) { all.set(part, at); at += part.length; }
  return all;
}

const sha = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", concat(...parts)));
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const shaHex = async (...parts) => hex(await sha(...parts));
const same = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);
const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const base64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

function unbase64(text) {
  let raw = null;
  try { raw = atob(text); } catch { /* said below */ }
  need(raw !== null && btoa(raw) === text, "not base64 in its one spelling");
  return Uint8Array.from(raw, (c) => c.charCodeAt(0));
}

function u32(number) {
  return Uint8Array.of(number >>> 24, number >>> 16, number >>> 8, number);
}

/** RFC 8785 for values without fractions. Sorting in JavaScript is by UTF-16 units, which is what RFC 8785 wants. */
function canonical(value, depth = 0) {
  need(depth < DEEPEST_JSON, "the JSON is nested too deeply");
  if (Array.isArray(value)) return `[${value.map((one) => canonical(one, depth + 1)).join(",")}]`;
  if (typeof value === "number") {
    need(Number.isInteger(value) && Math.abs(value) <= 2 ** 53, "the JSON holds a number that is not a whole one");
    return String(value);
  }
  if (typeof value === "string") {
    need(!/\p{Surrogate}/u.test(value), "the JSON holds half a character");
    return JSON.stringify(value);
  }
  if (value === null || typeof value === "boolean") return String(value);
  const fields = Object.keys(value).sort().map((name) => `${canonical(name)}:${canonical(value[name], depth + 1)}`);
  return `{${fields.join(",")}}`;
}

/** Builds the bytes again from what was read: spacing, order, fields that stand there twice and 1.0 for 1 are refused. */
function readCanonical(bytes, what) {
  const text = decode(bytes);
  let value;
  try { value = JSON.parse(text); } catch { throw new Error(`${what}: not JSON`); }
  need(canonical(value) === text, `${what}: not in canonical form; the contents give other bytes`);
  return value;
}

async function unpacked(bytes) {
  if (!isGzip(bytes)) return bytes;
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  const parts = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read().catch(() => { throw new Error("damaged gzip"); });
    if (done) break;
    length += value.length;
    if (length > LARGEST_PROOF) { reader.cancel().catch(() => {}); throw new Error("larger than 256 MiB unpacked"); }
    parts.push(value);
  }
  // Some unpackers pass over what follows the end; the last four bytes of the one file inside are its length.
  const end = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4).getUint32(0, true);
  need(end === length % 2 ** 32, "bytes follow the end of the gzip");
  return concat(...parts);
}

const isGzip = (bytes) => bytes.length > 18 && bytes[0] === 0x1f && bytes[1] === 0x8b;

// ---- trees of RFC 6962 shape

const leafHash = (data) => sha(Uint8Array.of(0), data);
const nodeHash = (left, right) => sha(Uint8Array.of(1), left, right);

/** The largest power of two below `count`. */
function split(count) {
  let half = 1;
  while (half * 2 < count) half *= 2;
  return half;
}

/** Root by an audit path, lowest sibling first (RFC 9162, 2.1.3.2); null when the path does not fit the tree. */
async function rootByPath(leaf, index, size, path) {
  if (!(index < size) || path.length > 64) return null;
  let [at, last, node] = [index, size - 1, leaf];
  const half = (number) => Math.floor(number / 2);
  for (const sibling of path) {
    if (last === 0) return null;
    if (at % 2 === 1 || at === last) {
      node = await nodeHash(sibling, node);
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)];
    } else {
      node = await nodeHash(node, sibling);
    }
    [at, last] = [half(at), half(last)];
  }
  return last === 0 ? node : null;
}

async function leadsTo(root, leaf, index, size, path) {
  const found = await rootByPath(leaf, index, size, path);
  return found !== null && same(found, root);
}

// ---- keys and log

const SPKI = unhex("302a300506032b6570032100");
const ROLES = ["log", "issuer", "registrar", "model"];
// Points of small order without their sign, in every spelling: such a key, or such a signature, fits any message.
const WEAK = ["00".repeat(32), `01${"00".repeat(31)}`, `ec${"ff".repeat(30)}7f`, `ed${"ff".repeat(30)}7f`,
  `ee${"ff".repeat(30)}7f`, "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"];
const isWeak = (point) => WEAK.includes(hex([...point.slice(0, 31), point[31] & 0x7f]));

const pem = (raw) => `-----BEGIN PUBLIC KEY-----\n${base64(concat(SPKI, raw))}\n-----END PUBLIC KEY-----\n`;
const keyId = (raw) => shaHex(utf8(`{"keytype":"ed25519","keyval":{"public":"${hex(raw)}"},"scheme":"ed25519"}`));
const logId = (origin, raw) => sha(utf8(origin), Uint8Array.of(10, 1), raw);

function rawKey(text) {
  const body = /^-----BEGIN PUBLIC KEY-----\n([A-Za-z0-9+/=\n]+)\n-----END PUBLIC KEY-----\n?$/.exec(text)?.[1];
  const der = body === undefined ? new Uint8Array() : unbase64(body.replaceAll("\n", ""));
  need(der.length === 44 && same(der.slice(0, 12), SPKI), "a key in trusted_root.json is no Ed25519 key in PEM");
  const raw = der.slice(12);
  need(!isWeak(raw), "a key in trusted_root.json is weak");
  return raw;
}

async function signatureHolds(raw, message, signature) {
  if (signature.length !== 64 || isWeak(signature.slice(0, 32))) return false;
  let key;
  try {
    key = await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]);
  } catch {
    throw new Error("this browser cannot check Ed25519 signatures; use a current one");
  }
  return crypto.subtle.verify("Ed25519", key, signature, message);
}

const orNull = (shape) => (value, where) => value === null || value === undefined || fits(value, shape, where);

/** The keys that a verifier got apart from the documents. Further members are for other programs. */
async function readTrust(bytes) {
  const root = JSON.parse(decode(bytes));
  need(root.format === "obelus-trusted-root/v1", "trusted_root.json has an unknown format");
  fits(root.logOrigin, text, "logOrigin");
  need(Array.isArray(root.keys), "trusted_root.json has no keys");
  const keys = [];
  for (const one of root.keys) {
    fits(one.keyid, digest, "keyid");
    fits(one.publicKey, text, "publicKey");
    fits(one.validFrom, time, "validFrom");
    orNull(time)(one.validTo, "validTo");
    for (const entry of ["firstEntry", "endEntry"]) orNull(count)(one[entry], entry);
    need(ROLES.includes(one.role), "trusted_root.json: unknown role");
    const raw = rawKey(one.publicKey);
    need(await keyId(raw) === one.keyid, `trusted_root.json: the ${one.role} key does not have its id`);
    need(!keys.some((key) => key.id === one.keyid), "trusted_root.json lists a key twice; roles never share a key");
    const key = { role: one.role, id: one.keyid, raw, from: one.validFrom, to: one.validTo ?? null,
      first: one.firstEntry ?? 0, end: one.endEntry ?? null, revoked: (one.revoked ?? null) !== null,
      log: await logId(root.logOrigin, raw) };
    const begins = (key.to === null || key.from <= key.to) && (key.end === null || key.first <= key.end);
    need(begins, "trusted_root.json: a key ends before it begins");
    need(!key.revoked || key.end !== null, "trusted_root.json: a key is revoked and still counts at every entry");
    keys.push(key);
  }
  const logKeys = keys.filter((key) => key.role === "log");
  const newest = Math.max(...logKeys.map((key) => key.first));
  const vkey = (key) => `${root.logOrigin}+${hex(key.log.slice(0, 4))}+${base64(Uint8Array.of(1, ...key.raw))}`;
  const listed = logKeys.some((key) => key.first === newest && vkey(key) === root.logVkey);
  need(listed, "trusted_root.json: logVkey is not the log's key");
  return { origin: root.logOrigin, keys };
}

const holdsEntry = (key, index) => key.first <= index && (key.end === null || index < key.end);
const holdsSize = (key, size) => key.first < size && (key.end === null || size <= key.end);

/** Reads a signed note. Without trust its signature is not checked, and `key` is null. */
async function openCheckpoint(note, trust) {
  need(note.length <= LARGEST_NOTE, "the checkpoint is too long");
  const [, signed, lines] = /^([^]*?)\n\n([^]*)\n$/.exec(note) ?? [];
  need(signed !== undefined, "not a signed checkpoint");
  const [origin, size, root, ...more] = signed.split("\n");
  const found = { origin, size: Number(size), root: unbase64(root ?? ""), key: null, further: 0 };
  const plain = /^(0|[1-9][0-9]{0,15})$/.test(size ?? "") && found.size <= 2 ** 53;
  need(more.length === 0 && plain && found.root.length === 32, "the checkpoint is not origin, size and root");
  const signatures = lines.split("\n").map((line) => {
    const parts = /^\u2014 (\S+) (\S+)$/.exec(line);
    need(parts, "a signature line of the checkpoint has another form");
    return { name: parts[1], raw: unbase64(parts[2]) };
  });
  found.further = signatures.length - 1;
  if (!trust) return found;
  need(origin === trust.origin, "the checkpoint is of another log");
  for (const key of trust.keys.filter((one) => one.role === "log")) {
    const own = signatures.filter((one) => one.name === origin && same(one.raw.slice(0, 4), key.log.slice(0, 4)));
    if (own.length === 1 && await signatureHolds(key.raw, utf8(`${signed}\n`), own[0].raw.slice(4))) {
      need(holdsSize(key, found.size), `the log's key was not in use for a log of ${found.size} entries`);
      return { ...found, key };
    }
  }
  throw new Error("the checkpoint has no valid signature of a trusted log key");
}

/** A checkpoint inside a document: a further line, for which no key vouches, could have been added by anybody. */
async function documentCheckpoint(note, trust) {
  const checkpoint = await openCheckpoint(note, trust);
  need(checkpoint.further === 0, "the checkpoint carries signature lines that no trusted key covers");
  return checkpoint;
}

// ---- what statements look like

const text = (value) => typeof value === "string";
const yes = (value) => typeof value === "boolean";
const count = (value) => Number.isInteger(value) && value >= 0 && value <= 2 ** 53;
const small = (value) => count(value) && value < 2 ** 32;
const digest = (value) => text(value) && /^[0-9a-f]{64}$/.test(value);
const time = (value) => text(value) && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(value) && realTime(value.slice(0, 23));
// Times in this form compare as text. A month 13 is none: the date made of it is written differently, or is none.
const realTime = (start) => !Number.isNaN(Date.parse(`${start}Z`)) && new Date(`${start}Z`).toISOString().startsWith(start);

/** Refuses a value that does not have exactly these fields: `name?` may be missing, a list holds one form of thing. */
function fits(value, shape, where) {
  if (typeof shape === "function") {
    need(shape(value, where), `${where} has another form`);
  } else if (Array.isArray(shape)) {
    need(Array.isArray(value), `${where} is no list`);
    for (const one of value) fits(one, shape[0], where);
  } else {
    need(value !== null && typeof value === "object" && !Array.isArray(value), `${where} is no object`);
    const names = Object.keys(shape).map((name) => name.replace("?", ""));
    for (const name of Object.keys(value)) need(names.includes(name), `${where} has the unknown field ${name.slice(0, 40)}`);
    for (const name of Object.keys(shape)) {
      const bare = name.replace("?", "");
      if (Object.hasOwn(value, bare)) fits(value[bare], shape[name], `${where}.${bare}`);
      else need(bare !== name, `${where} has no ${bare}`);
    }
  }
  return true;
}

const ATTESTATION = "https://obelus.dev/attestation/";
const ENVELOPE = { payload: text, payloadType: text, signatures: [{ keyid: digest, sig: text }] };
const SUBJECT = [{ name: text, digest: { "nullWeightTreeV1?": digest, "sha256?": digest } }];
const PLACE = { key: digest, record: text, index: count, path: [digest] };
const RECORD = { source: text, publisher: text, license: text, documents: count, contentDigest: digest, seed: digest,
  segment: count, salt: text };
const LOGGED = { exhibit: text, envelope: ENVELOPE, index: count, path: [digest] };
const EVIDENCE = { format: text, exhibits: [LOGGED], "extensions?": [LOGGED], sources: [PLACE],
  layout: [{ name: text, dtype: text, rows: count, row_bytes: count, first_leaf: count }], checkpoint: text, rowProofFile: text };
const BUNDLE = { mediaType: text, dsseEnvelope: ENVELOPE, verificationMaterial: { publicKey: { hint: digest }, tlogEntries: [{
  logIndex: text, logId: { keyId: text }, kindVersion: { kind: text, version: text }, integratedTime: text,
  inclusionProof: { logIndex: text, rootHash: text, treeSize: text, hashes: [text], checkpoint: { envelope: text } },
  canonicalizedBody: text }] } };
const ROW_PROOF = { format: text, leaf_count: count, zeroed_leaves: [count], before_leaves: [digest], siblings: [digest] };
const ADAPTATION = { kind: text, generation: count, continues: digest, rootBefore: digest, layoutBefore: digest,
  "grown?": digest, changed: digest, neurons: digest, neuronCount: count, sources: digest, sourceCount: count,
  "measurement?": digest };

/** For every statement: who signs it, which field says when it was made, and all its fields but the salt. */
const STATEMENTS = {
  "campaign/v1": ["registrar", "createdAt", { lineage: text, campaignSalt: digest, maskScheme: text, layers: small,
    sameMaskInAllLayers: yes, segments: [{ base: small, n: small, k: small }], operator: text, createdAt: time }],
  "pool-extension/v1": ["registrar", "createdAt", { lineage: text, campaign: digest, "previous?": digest,
    firstSegment: count, base: small, n: small, k: small, count, reason: text, operator: text, createdAt: time }],
  "source-manifest/v1": ["registrar", "createdAt", { lineage: text, campaign: digest, count, tokenizer: digest,
    "extension?": digest, createdAt: time }],
  "source-provenance/v1": ["registrar", "issuedAt", { source: text, publisher: text, license: text, documents: count,
    maskSeed: digest, manifest: digest, manifestRoot: digest, manifestIndex: count, manifestPath: [digest], record: digest,
    issuedAt: time }],
  "training-run/v1": ["model", "endedAt", { model: text, manifest: digest, configuration: digest, recipe: text,
    excluded: digest, excludedCount: count, baselineOf: (value) => value === null || digest(value),
    "adaptation?": ADAPTATION, seed: count, layout: digest, code: digest, device: text, steps: count, finalLoss: text,
    startedAt: time, endedAt: time }],
  "verification-protocol/v1": ["issuer", "fixedAt", { request: text, model: text, sources: digest, protocol: digest,
    probes: digest, baselines: [digest], fixedAt: time }],
  "erasure/v1": ["issuer", "erasedAt", { request: text, model: text, sources: digest, sourceCount: count,
    manifest: digest, training: digest, generation: count, neuronCount: count, neurons: digest, rootBefore: digest,
    rootAfter: digest, layout: digest, rowProof: digest, plan: digest, level: text,
    targets: [{ kind: text, path: text, level: text, rows: count, at: time }], erasedAt: time }],
  "verification-run/v1": ["issuer", "judgedAt", { request: text, model: text, protocol: digest, baselines: [digest],
    baselineKind: text, before: digest, results: digest, verdict: text, "repetition?": { previous: digest,
    generation: count, routing: digest, copies: digest, attack: digest }, judgedAt: time }],
  "blind-challenge/v1": ["issuer", "depositedAt", { challenge: text, request: text, model: text, commitment: digest,
    sealedBytes: count, depositedAt: time }],
  "blind-challenge-result/v1": ["issuer", "openedAt", { challenge: text, request: text, model: text, deposit: digest,
    erasure: digest, commitment: digest, probes: count, baselines: [digest], results: digest, outcome: text,
    figures: [{ name: text, outcome: text, facts: count, erased: text, retrain: text, difference: text }],
    limits: [text], openedAt: time }],
  "request-receipt/v1": ["registrar", "acknowledgedAt", { request: text, regime: text, regimeFile: digest,
    calendarFile: digest, filed: digest, receivedAt: time, acknowledgedAt: time }],
  "case-event/v1": ["registrar", "happenedAt", { request: text, sequence: count, "previous?": digest, action: text,
    "from?": text, to: text, actor: digest, detail: digest, rules: digest, happenedAt: time }],
  "certificate/v1": ["issuer", "issuedAt", { id: text, title: text, erasure: digest, verification: digest,
    erasureClaim: text, verdict: text, level: text, rootBefore: digest, rootAfter: digest, rowProof: digest, recipe: text,
    baseline: text, figures: [{ name: text, verdict: text, residual: text }], limits: [text],
    "renews?": { certificate: digest, judged: digest }, "challenges?": { count, results: digest }, issuedAt: time,
    validUntil: time }],
};
const EXHIBITS = { campaign: "campaign/v1", manifest: "source-manifest/v1", training: "training-run/v1",
  protocol: "verification-protocol/v1", erasure: "erasure/v1", verification: "verification-run/v1",
  certificate: "certificate/v1" };

const OF_WEIGHTS = ["training-run/v1", "erasure/v1", "verification-run/v1", "certificate/v1"];

/**
 * Opens an envelope: form, payload, and with trust its signature by a key of the right role, in use at the stated time and
 * at this entry of the log. The caller shows that the statement is there; `index` is null where nothing shows it.
 */
async function openEnvelope(envelope, wanted, trust, index) {
  need(envelope.payloadType === "application/vnd.in-toto+json", "the payload type is not in-toto");
  need(envelope.signatures.length === 1, "there is not exactly one signature");
  const payload = unbase64(envelope.payload);
  const [{ keyid, sig }] = envelope.signatures;
  // Nothing in a payload is believed before its signature; its type alone says whose key to take.
  const statement = readCanonical(payload, "statement");
  const type = String(statement?.predicateType);
  const name = type.startsWith(ATTESTATION) ? type.slice(ATTESTATION.length) : "";
  need(Object.hasOwn(STATEMENTS, name), "unknown kind of statement");
  need(wanted === null || name === wanted, `a ${name} stands where a ${wanted} belongs`);
  const [role, when, fields] = STATEMENTS[name];
  const key = trust?.keys.find((one) => one.role === role && one.id === keyid) ?? null;
  if (trust) {
    need(key, `${name}: no trusted ${role} key has the id ${keyid.slice(0, 16)}…`);
    const signed = concat(utf8(`DSSEv1 28 application/vnd.in-toto+json ${payload.length} `), payload);
    need(await signatureHolds(key.raw, signed, unbase64(sig)), `${name}: the signature does not hold`);
  }
  fits(statement, { _type: text, subject: SUBJECT, predicateType: text, predicate: { ...fields, salt: text } }, name);
  need(statement._type === "https://in-toto.io/Statement/v1", `${name}: not an in-toto statement`);
  const digests = statement.subject.length === 1 ? Object.keys(statement.subject[0].digest).length : 0;
  // Weights are also named by the root of their model.sig, where there is one.
  const once = digests === 1 || digests === 2 && OF_WEIGHTS.includes(name);
  need(once, `${name}: not exactly one subject with one digest`);
  const made = statement.predicate[when];
  if (key) {
    // A key that came by rotation may state what happened before it came, where the log shows that it signed later.
    const signedAt = index !== null && key.first > 0 && made < key.from ? key.from : made;
    need(key.from <= signedAt && (key.to === null || signedAt <= key.to), `${name}: the ${role} key was not valid at ${made}`);
    need(index === null || holdsEntry(key, index), `${name}: the ${role} key was not in use at entry ${index}`);
    need(index !== null || !key.revoked, `${name}: the ${role} key was revoked, and nothing shows that this was signed before`);
  }
  return { name, role, key, said: statement.predicate, subject: statement.subject[0], digest: await shaHex(utf8(canonical(envelope))) };
}

/** The bytes that the log holds for an envelope: digests, signature and key, no content. */
async function logLeaf(envelope, keyPem) {
  const hash = async (bytes) => ({ algorithm: "sha256", value: await shaHex(bytes) });
  const spec = { envelopeHash: await hash(utf8(canonical(envelope))), payloadHash: await hash(unbase64(envelope.payload)),
    signatures: [{ signature: envelope.signatures[0].sig, verifier: base64(utf8(keyPem)) }] };
  return utf8(canonical({ apiVersion: "0.0.1", kind: "dsse", spec }));
}

// ---- from a name to its neurons

const named = (name) => concat(u32(utf8(name).length), utf8(name));
const seedOf = (salt, lineage, source) => sha(utf8("null-seed/v1\0"), unhex(salt), named(lineage), named(source));

/** Exactly k of n neurons, ascending: Floyd's sampling; words that would favour small numbers are drawn again. */
async function mask(seed, layer, n, k) {
  need(k <= n, "a segment lights more neurons than it has");
  const context = concat(u32(1), u32(layer), u32(n), u32(k));
  const prefix = concat(utf8("null-mask/v1\0"), Uint8Array.of(context.length), context, seed);
  const lit = new Set();
  let [block, next, words] = [0, 4, null];
  for (let j = n - k; j < n; j++) {
    const below = BigInt(j + 1);
    for (;;) {
      if (next === 4) {
        words = new DataView((await sha(prefix, u32(block++))).buffer);
        next = 0;
      }
      const word = words.getBigUint64(8 * next++);
      if (word < 2n ** 64n - (2n ** 64n % below)) {
        const drawn = Number(word % below);
        lit.add(lit.has(drawn) ? j : drawn);
        break;
      }
    }
  }
  return [...lit].sort((a, b) => a - b);
}

/** The segments of the pool as runs of equal ones, after showing that every extension continues the pool without a gap. */
function poolOf(campaign, extensions, manifest) {
  const { said } = campaign;
  const runs = said.segments.map(({ base, n, k }, first) => ({ first, count: 1, base, n, k }));
  let [previous, made, first] = [undefined, said.createdAt, said.segments.length];
  let base = said.segments.reduce((end, one) => Math.max(end, one.base + one.n), 0);
  for (const { said: one, subject, digest: own } of extensions) {
    need(one.campaign === campaign.digest, "a pool extension cites another campaign");
    need(one.lineage === said.lineage && subject.name === said.lineage, "a pool extension is of another lineage");
    need(one.previous === previous, "a pool extension does not cite the one before it");
    need(["disjoint-assignment", "added-sources"].includes(one.reason), "a pool extension has an unknown reason");
    need(made <= one.createdAt, "a pool extension is older than the pool that it continues");
    need(one.firstSegment === first && one.base === base, "a pool extension does not continue the pool");
    need(one.k >= 1 && one.k <= one.n && one.count > 0, "the sizes of a pool extension are impossible");
    runs.push({ first, count: one.count, base, n: one.n, k: one.k });
    base += one.count * one.n;
    need(base < 2 ** 32, "the pool is larger than neuron numbers");
    [previous, made, first] = [own, one.createdAt, first + one.count];
  }
  need(manifest.said.extension === previous, "the manifest rests on another pool");
  need(extensions.length === 0 || made <= manifest.said.createdAt, "the manifest is older than its pool");
  return runs;
}

/** The record at a place, after showing that the manifest has it. */
async function recordAt(place, manifest) {
  const record = readCanonical(utf8(place.record), "record");
  fits(record, RECORD, "record");
  const leaf = await leafHash(concat(unhex(place.key), utf8(place.record)));
  const root = unhex(manifest.subject.digest.sha256 ?? "");
  need(await leadsTo(root, leaf, place.index, manifest.said.count, place.path.map(unhex)), "a record is not in the manifest");
  return record;
}

/** The struck neurons layer by layer, from campaign salt, lineage and the names of the sources. */
async function struckNeurons(places, { campaign, manifest, erasure }, runs) {
  const { said } = campaign;
  const most = runs.reduce((k, run) => Math.max(k, run.k), 0) * said.layers;
  need(said.layers <= MOST_LAYERS && most <= MOST_NEURONS_OF_A_SOURCE, "the campaign's sizes are absurd");
  const lit = Array.from({ length: said.layers }, () => new Set());
  const [list, names] = [[], []];
  for (const place of places) {
    const record = await recordAt(place, manifest);
    const seed = await seedOf(said.campaignSalt, said.lineage, record.source);
    need(hex(seed) === record.seed, `the seed in the record of ${record.source} is not the one that its name gives`);
    const run = runs.find((one) => record.segment >= one.first && record.segment < one.first + one.count);
    need(run, `the record of ${record.source} names no segment of the pool`);
    const base = run.base + (record.segment - run.first) * run.n;
    need(base + run.n < 2 ** 32, "the pool is larger than neuron numbers");
    for (const [layer, all] of lit.entries()) {
      for (const j of await mask(seed, said.sameMaskInAllLayers ? 0 : layer, run.n, run.k)) all.add(base + j);
    }
    list.push([place.key, await shaHex(utf8(place.record))]);
    names.push(record.source);
  }
  const ascends = list.every(([key], at) => at === 0 || list[at - 1][0] < key);
  need(list.length > 0 && ascends && new Set(names).size === names.length, "the sources are not in order, or one is listed twice");
  const others = "the erasure is about other sources than the records";
  need(erasure.said.sourceCount === list.length && erasure.said.sources === await shaHex(utf8(canonical(list))), others);
  const perLayer = lit.map((all) => [...all].sort((a, b) => a - b));
  const total = perLayer.reduce((sum, layer) => sum + layer.length, 0);
  const right = total > 0 && erasure.said.neuronCount === total && said.maskScheme === "null-mask/v1"
    && erasure.said.neurons === await shaHex(utf8(canonical(perLayer)));
  need(right, "the neurons struck are not those that the seeds give");
  return { perLayer, total, names };
}

// ---- the row proof

/** The leaves of the struck neurons in the weight tree, ascending, with the place that each belongs to. */
function struckLeaves(layout, perLayer) {
  let [leaves, before] = [0, null];
  const sinks = new Map();
  for (const place of layout) {
    const name = utf8(place.name);
    const sized = small(place.rows) && name.length < 2 ** 16 && place.row_bytes >= 1 && place.row_bytes <= LARGEST_ROW;
    need(sized && place.first_leaf === leaves && (before === null || ascending(before, name)), "the layout is inconsistent");
    if (place.name.includes(".mlp.sinks")) sinks.set(place.name, place);
    leaves += place.rows;
    before = name;
  }
  need(count(leaves) && sinks.size === perLayer.length, "the layout has sinks in other layers than the campaign");
  const struck = perLayer.flatMap((neurons, layer) => {
    const place = sinks.get(`layers.${layer}.mlp.sinks`);
    need(place && neurons.every((neuron) => neuron < place.rows), "the layout has no such neurons");
    return neurons.map((row) => ({ leaf: place.first_leaf + row, row, place }));
  });
  need(struck.reduce((sum, { place }) => sum + place.row_bytes, 0) <= MOST_ZERO_BYTES, "the layout's rows are absurdly long");
  return { leaves, struck: struck.sort((a, b) => a.leaf - b.leaf) };
}

function ascending(a, b) {
  const at = a.findIndex((byte, i) => byte !== b[i]);
  return at === -1 ? a.length < b.length : at < b.length && a[at] < b[at];
}

function zeroLeaf({ row, place }) {
  const name = utf8(place.name);
  const header = concat(utf8("\0null-weights/v1\0"), Uint8Array.of(name.length >> 8, name.length), name, u32(row));
  return sha(header, new Uint8Array(place.row_bytes));
}

/** Rebuilds both roots over one list of siblings: whatever is in a sibling is the same before and after. */
async function rebuiltRoots(proof, leaves, struck) {
  need(proof.format === "null-rowproof/v1" && proof.leaf_count === leaves, "the row proof is of another format or tree");
  const expected = proof.zeroed_leaves.length === struck.length && struck.every(({ leaf }, at) => leaf === proof.zeroed_leaves[at]);
  need(expected, "the row proof zeroes other rows than the masks give");
  need(proof.before_leaves.length === struck.length, "the row proof has not one old hash for each row");
  let next = 0;
  // As deep as the tree is high, at most 53. `first..last` are the struck leaves among leaves `from..from + size`.
  const walk = async (from, size, first, last) => {
    if (first === last) {
      need(next < proof.siblings.length, "the row proof has fewer siblings than the tree");
      const sibling = unhex(proof.siblings[next++]);
      return [sibling, sibling];
    }
    if (size === 1) return [unhex(proof.before_leaves[first]), await zeroLeaf(struck[first])];
    const half = split(size);
    let cut = first;
    while (cut < last && struck[cut].leaf < from + half) cut++;
    const left = await walk(from, half, first, cut);
    const right = await walk(from + half, size - half, cut, last);
    return Promise.all([nodeHash(left[0], right[0]), nodeHash(left[1], right[1])]);
  };
  const roots = await walk(0, leaves, 0, struck.length);
  need(next === proof.siblings.length, "the row proof has more siblings than the tree");
  return roots.map(hex);
}

// ---- what the statements of a certificate must say of each other

function citations({ campaign, manifest, training, protocol, erasure, verification, certificate }) {
  const [l, m, t, p, e, v, c] = [campaign, manifest, training, protocol, erasure, verification, certificate].map((one) => one.said);
  const weights = (opened, root) => opened.subject.digest.nullWeightTreeV1 === root;
  const modelSig = (opened) => opened.subject.digest.sha256 ?? null;
  const trained = t.adaptation?.generation ?? 0;
  // A renewed certificate rests on a run on the weights of a later day; what it says of the strike stays.
  const after = c.renews === undefined ? [erasure, verification, certificate] : [erasure, certificate];
  const rules = {
    "the campaign's subject is another lineage": campaign.subject.name === l.lineage,
    "the manifest cites another campaign or lineage": m.campaign === campaign.digest && m.lineage === l.lineage,
    "the training cites another manifest": t.manifest === manifest.digest,
    "the training is that of a retrain, not of the model": t.baselineOf === null,
    "the erasure cites another manifest or training": e.manifest === manifest.digest && e.training === training.digest,
    "the protocol is about other sources or another model": p.sources === e.sources && p.model === e.model,
    "the protocol's subject is another protocol": protocol.subject.digest.sha256 === p.protocol,
    "the verification cites another protocol": v.protocol === protocol.digest && canonical(v.baselines) === canonical(p.baselines),
    "the certificate cites another erasure or verification": c.erasure === erasure.digest && c.verification === verification.digest,
    "request, model or training names differ": e.request === v.request && e.request === p.request && e.model === v.model && e.model === t.model,
    "the certificate's roots or row proof differ": c.rootBefore === e.rootBefore && c.rootAfter === e.rootAfter && c.rowProof === e.rowProof,
    "the certificate's level, recipe or verdict differs": c.level === e.level && c.verdict === v.verdict && c.recipe === t.recipe,
    "the weights before a strike are no generation of a strike": e.generation > trained,
    "the first strike does not start from the trained weights": e.generation !== trained + 1 || weights(training, e.rootBefore),
    "a subject is not the weight root after": after.every((one) => weights(one, e.rootAfter)),
    "the verification is about other weights than it should be": weights(verification, c.renews?.judged ?? e.rootAfter),
    "a repeated run and a renewed certificate go together": (c.renews === undefined) === (v.repetition === undefined),
    "a renewal is of the weights of an earlier generation": (v.repetition?.generation ?? e.generation) >= e.generation,
    "the subjects name different model.sig roots": after.every((one) => modelSig(one) === modelSig(erasure)),
    "the sources were registered after training had begun": l.createdAt <= m.createdAt && m.createdAt <= t.startedAt,
    "the times contradict each other": t.startedAt <= t.endedAt && t.endedAt <= e.erasedAt && p.fixedAt <= e.erasedAt
      && e.erasedAt <= v.judgedAt && v.judgedAt <= c.issuedAt && e.targets.every((target) => target.at <= c.issuedAt)
      && c.issuedAt < c.validUntil,
  };
  for (const [broken, holds] of Object.entries(rules)) need(holds, broken);
  const earlier = e.generation - trained - 1;
  return { earlier, adapted: trained > 0 };
}

function ownClaims({ said: c, subject }) {
  const any = (verdict) => c.figures.some((figure) => figure.verdict === verdict);
  const fit = { verified: !any("fail") && !any("residual"), not_verified: true,
    verified_with_residual: !any("fail") && c.figures.some((figure) => figure.residual !== "") };
  need(c.erasureClaim === "proved", "the erasure claim is not the one that a row proof supports");
  need(Object.hasOwn(fit, c.verdict) && fit[c.verdict], "the verdict is unknown, or the figures contradict it");
  need((c.title === "Erasure record, verification failed") === (c.verdict === "not_verified"), "the title does not fit the verdict");
  need(["L0", "L1", "L2", "L3"].includes(c.level), "the level is not one of L0 to L3");
  need(c.limits.length > 0, "the certificate states no limits");
  need(c.issuedAt < c.validUntil, "the certificate ends before it begins");
  need(subject.digest.nullWeightTreeV1 === c.rootAfter, "the certificate is about other weights than those after the strike");
}

function claims({ erasure, verification, certificate }) {
  ownClaims(certificate);
  const v = verification.said;
  need(erasure.said.targets.length > 0, "the erasure lists no copy that was zeroed");
  const rests = { matched: v.baselines.length > 0, panel: v.baselines.length > 0,
    none: v.baselines.length === 0 && certificate.said.verdict === "not_verified" };
  need(Object.hasOwn(rests, v.baselineKind) && rests[v.baselineKind], "there is a verdict and no retrain that it rests on");
}

// ---- the documents

/** Collects checks in the order in which they are made. A step that fails is said, and gives undefined. */
class Report {
  checks = [];
  facts = [];
  say(outcome, name, detail) { this.checks.push({ outcome, name, detail }); }
  leftOut(name, detail) { this.say("left out", name, detail); }
  async step(name, work) {
    try {
      const { detail, found } = await work();
      this.say("ok", name, detail);
      return found ?? true;
    } catch (error) {
      this.say("FAIL", name, String(error?.message ?? error).slice(0, 300));
      return undefined;
    }
  }
}

/** A bundle: one statement, its signature, and its place in the log. */
async function openBundle(bundle, wanted, trust) {
  fits(bundle, BUNDLE, "bundle");
  const { dsseEnvelope: envelope, verificationMaterial: { publicKey, tlogEntries } } = bundle;
  need(tlogEntries.length === 1, "bundle: there is not exactly one log entry");
  const [{ inclusionProof: proof, ...entry }] = tlogEntries;
  const index = Number(entry.logIndex);
  need(count(index) && String(index) === entry.logIndex && proof.logIndex === entry.logIndex, "the bundle has two indices");
  const opened = await openEnvelope(envelope, wanted, trust, index);
  const checkpoint = await documentCheckpoint(proof.checkpoint.envelope, trust);
  const body = unbase64(entry.canonicalizedBody);
  // Without trust the key in the leaf stands in for the one that is not known, so that the path can be followed.
  const keyPem = opened.key ? pem(opened.key.raw) : decode(unbase64(readCanonical(body, "leaf").spec.signatures[0].verifier));
  const rules = {
    "another media type": bundle.mediaType === "application/vnd.dev.sigstore.bundle.v0.3+json",
    "two names for the key": publicKey.hint === envelope.signatures[0].keyid,
    "another kind of log entry": canonical(entry.kindVersion) === '{"kind":"dsse","version":"0.0.1"}' && entry.integratedTime === "0",
    "the leaf of another statement": same(body, await logLeaf(envelope, keyPem)),
    "another size or root than its checkpoint": proof.treeSize === String(checkpoint.size) && proof.rootHash === base64(checkpoint.root),
    "another log": !checkpoint.key || entry.logId.keyId === base64(checkpoint.key.log),
  };
  for (const [broken, holds] of Object.entries(rules)) need(holds, `the bundle has ${broken}`);
  const path = proof.hashes.map(unbase64);
  need(path.every((hash) => hash.length === 32), "a hash of the path has not 32 bytes");
  need(await leadsTo(checkpoint.root, await leafHash(body), index, checkpoint.size, path), `${opened.name}: not in the log`);
  return { ...opened, envelope, index, checkpoint, body };
}

const signedBy = (trust, opened) => (trust ? `signed by the ${opened.role} key, ` : "");

async function checkBundle(report, file, trust) {
  const opened = await report.step(trust ? "statement and place in the log" : "path to an unsigned checkpoint", async () => {
    const found = await openBundle(readCanonical(file.bytes, "bundle"), null, trust);
    const where = `entry ${found.index} of ${found.checkpoint.size} in ${found.checkpoint.origin}`;
    return { found, detail: `${found.name}, ${signedBy(trust, found)}${where}` };
  });
  if (opened?.name === "certificate/v1") {
    describe(report, opened.said);
    await report.step("the certificate by itself", async () => {
      ownClaims(opened);
      logKeyOutlived(opened.checkpoint, opened.said.issuedAt);
      return { detail: "title, verdict, level, figures and limits fit each other" };
    });
  }
  return opened;
}

/** A checkpoint has no time, but one that covers a statement was signed after it. */
function logKeyOutlived(checkpoint, made) {
  const ended = checkpoint.key && checkpoint.key.to !== null && checkpoint.key.to < made;
  need(!ended, "the log's key had ended before the certificate was issued");
}

/** What a certificate says, in its own words. */
function describe(report, c) {
  report.facts.push(["Certificate", c.id], ["Title", c.title], ["Erasure claim", c.erasureClaim], ["Verification verdict", c.verdict],
    ["Level", c.level], ["Valid", `${c.issuedAt} until ${c.validUntil}`], ["Measured against", c.baseline],
    ...c.figures.map((figure) => ["Figure", [figure.name, figure.verdict, figure.residual].filter(Boolean).join(": ")]),
    ...c.limits.map((limit) => ["Stated limit", limit]));
}

async function checkEvidence(report, file, proofFile, bundle, trust) {
  const document = await report.step("form of the evidence", async () => {
    const found = readCanonical(file.bytes, "evidence");
    fits(found, EVIDENCE, "evidence");
    need(found.format === "obelus-certificate/v1", "unknown format");
    need(found.extensions === undefined || found.extensions.length > 0, "an empty list of extensions is not written");
    return { found, detail: "the file is exactly the bytes that its contents give" };
  });
  if (!document) return undefined;
  const all = await report.step(trust ? "statements and places in the log" : "form of the statements", () => openStatements(document, trust));
  if (!all) return document;
  if (!bundle) describe(report, all.certificate.said);
  if (bundle) {
    await report.step("bundle and evidence", async () => {
      need(canonical(bundle.envelope) === canonical(document.exhibits[6].envelope), "the bundle and the evidence are not about the same certificate");
      return { detail: "both carry the same certificate" };
    });
  }
  await report.step("citations", async () => {
    const { earlier, adapted } = citations(all);
    logKeyOutlived(all.checkpoint, all.certificate.said.issuedAt);
    const { id } = all.certificate.said;
    need(document.rowProofFile === `${id}.rowproof.json` && !/[/\\\0]/.test(id), "the row proof's name is not that of the certificate's id");
    if (earlier > 0) report.leftOut("earlier strikes", `${earlier} strikes led to the weights before; they are not in this file`);
    if (adapted) report.leftOut("adaptation", "training changed a model that was there before; see the document of that adaptation");
    return { detail: "every statement cites the others by their digests; roots, names and times agree" };
  });
  await report.step("claims", async () => {
    claims(all);
    return { detail: `verdict ${all.certificate.said.verdict}, against a ${all.verification.said.baselineKind} baseline` };
  });
  const neurons = await report.step("sources and neurons", async () => {
    const found = await struckNeurons(document.sources, all, poolOf(all.campaign, all.extensions, all.manifest));
    report.facts.push(["Model", all.erasure.said.model], ...found.names.map((name) => ["Struck source", name]));
    return { found, detail: `${found.names.length} in the manifest; ${found.total} neurons recomputed from their names` };
  });
  const tree = neurons && await report.step("layout", async () => {
    const stated = await shaHex(utf8(canonical(document.layout)));
    const right = stated === all.erasure.said.layout && stated === all.training.said.layout;
    need(right, "the layout is not the one that was stated");
    return { found: struckLeaves(document.layout, neurons.perLayer), detail: "as stated at training, sinks in the campaign's layers" };
  });
  if (!proofFile) {
    report.leftOut("row proof", `${document.rowProofFile} was not given: that exactly these rows became zero is signed, not rebuilt`);
  } else if (tree) {
    await report.step("row proof", () => checkRowProof(proofFile.bytes, tree, all.erasure.said));
  }
  return document;
}

async function openStatements(document, trust) {
  const { exhibits, extensions = [] } = document;
  need(exhibits.map((one) => one.exhibit).join() === Object.keys(EXHIBITS).join(), "the exhibits are not one of each, in log order");
  need(extensions.every((one) => one.exhibit === "poolExtension"), "a statement among the pool extensions is none");
  const logged = [exhibits[0], ...extensions, ...exhibits.slice(1)];
  need(logged.every((one, at) => at === 0 || logged[at - 1].index < one.index), "the statements are not in log order");
  const checkpoint = await documentCheckpoint(document.checkpoint, trust);
  const found = { checkpoint, extensions: [] };
  for (const one of logged) {
    const name = one.exhibit === "poolExtension" ? "pool-extension/v1" : EXHIBITS[one.exhibit];
    const opened = await openEnvelope(one.envelope, name, trust, one.index);
    if (trust) {
      const leaf = await leafHash(await logLeaf(one.envelope, pem(opened.key.raw)));
      const inside = await leadsTo(checkpoint.root, leaf, one.index, checkpoint.size, one.path.map(unhex));
      need(inside, `${name}: its path does not lead to the checkpoint`);
    }
    if (one.exhibit === "poolExtension") found.extensions.push(opened);
    else found[one.exhibit] = opened;
  }
  const shown = trust ? "signed by the right roles, each in the log, in order" : "in the order that they claim; signatures and places in the log were NOT checked";
  return { found, detail: `${logged.length} statements ${shown}` };
}

async function checkRowProof(bytes, { leaves, struck }, erasure) {
  need(bytes.length <= LARGEST_PROOF, "larger than 256 MiB");
  need(await shaHex(bytes) === erasure.rowProof, "not the file that the erasure cites");
  const proof = readCanonical(await unpacked(bytes), "row proof");
  fits(proof, ROW_PROOF, "row proof");
  const [before, after] = await rebuiltRoots(proof, leaves, struck);
  need(before === erasure.rootBefore, "the weight root before, rebuilt, is not the stated one");
  need(after === erasure.rootAfter, "the weight root after, rebuilt, is not the stated one");
  return { detail: `both roots rebuilt: exactly ${struck.length} of ${leaves} rows became zero, nothing else changed` };
}

async function checkListing(report, file, trust) {
  const absent = file.kind === "absence";
  const document = await report.step("form of the document", async () => {
    const found = readCanonical(file.bytes, file.kind);
    const place = (value, where) => value === null || fits(value, PLACE, where);
    const shape = absent ? { absence: { before: place, after: place }, manifestKey: digest } : { presence: PLACE };
    fits(found, { format: text, manifest: BUNDLE, source: text, ...shape }, file.kind);
    need(found.format === `obelus-${file.kind}/v1`, "unknown format");
    return { found, detail: "the file is exactly the bytes that its contents give" };
  });
  const manifest = document && await report.step("manifest", async () => {
    const found = await openBundle(document.manifest, "source-manifest/v1", trust);
    return { found, detail: `${signedBy(trust, found)}entry ${found.index} of ${found.checkpoint.size} in ${found.checkpoint.origin}` };
  });
  if (!manifest) return;
  report.facts.push(["Source", document.source], ["Lineage", manifest.said.lineage], ["Manifest closed", manifest.said.createdAt]);
  if (absent) {
    await report.step("absence", () => checkAbsence(document, manifest));
  } else {
    await report.step("presence", async () => {
      const record = await recordAt(document.presence, manifest);
      need(record.source === document.source, "the record is of another source");
      report.facts.push(["Documents", String(record.documents)], ["Licence", record.license], ["Mask seed", record.seed]);
      return { detail: `the source is record ${document.presence.index} of ${manifest.said.count}` };
    });
    report.leftOut("key of the record", "that it stands under its own key is shown by the manifest key alone");
  }
}

async function checkAbsence(document, manifest) {
  const secret = await crypto.subtle.importKey("raw", unhex(document.manifestKey), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const keyOf = async (source) => hex(new Uint8Array(await crypto.subtle.sign("HMAC", secret, utf8(source))));
  const { before, after } = document.absence;
  for (const neighbour of [before, after].filter(Boolean)) {
    const record = await recordAt(neighbour, manifest);
    need(await keyOf(record.source) === neighbour.key, "a neighbour does not stand under its own key");
  }
  const size = manifest.said.count;
  need((before ? before.index + 1 : 0) === (after ? after.index : size), "the neighbours do not stand side by side");
  const wanted = await keyOf(document.source);
  need((!before || before.key < wanted) && (!after || wanted < after.key), "the source stands elsewhere");
  need(size > 0 || manifest.subject.digest.sha256 === await shaHex(), "an empty manifest has another root");
  return { detail: `no record of this name among ${size}: its two neighbours leave no room between them` };
}

async function checkLogProof(report, file, envelope, trust) {
  await report.step("log proof", async () => {
    const [, extra, number, lines, note] = /^c2sp\.org\/tlog-proof@v1\nextra (\S*)\nindex (0|[1-9][0-9]{0,15})\n((?:\S+\n){0,63})\n([^]*)$/.exec(decode(file.bytes)) ?? [];
    need(note !== undefined, "not a log proof");
    const path = lines.split("\n").slice(0, -1).map(unbase64);
    const [body, index, checkpoint] = [unbase64(extra), Number(number), await documentCheckpoint(note, trust)];
    need(path.every((hash) => hash.length === 32), "a hash of the path has not 32 bytes");
    need(await leadsTo(checkpoint.root, await leafHash(body), index, checkpoint.size, path), "the leaf is not in the log");
    if (envelope) {
      const { verifier } = readCanonical(body, "leaf").spec.signatures[0];
      need(same(body, await logLeaf(envelope, decode(unbase64(verifier)))), "the leaf is of another statement than the certificate's");
    } else {
      report.leftOut("whose leaf it is", "give the certificate too");
    }
    return { detail: `the leaf is entry ${index} of ${checkpoint.size} in ${checkpoint.origin}` };
  });
}

/** What a file is, by what is in it; null when it is of no known kind. */
function kindOf(bytes) {
  if (isGzip(bytes)) return "row proof";
  let value = null;
  try {
    const start = decode(bytes);
    if (start.startsWith("c2sp.org/tlog-proof@")) return "log proof";
    if (start.includes("\n\n\u2014 ") && !start.startsWith("{")) return "checkpoint";
    value = JSON.parse(start);
  } catch { return null; }
  const has = (name) => value !== null && typeof value === "object" && Object.hasOwn(value, name);
  const kinds = { logOrigin: "trusted root", dsseEnvelope: "bundle", exhibits: "evidence", zeroed_leaves: "row proof",
    presence: "presence", absence: "absence", payloadType: "statement" };
  const found = Object.keys(kinds).find(has);
  return found && !(found === "exhibits" && value.format === "obelus-adaptation/v1") ? kinds[found] : null;
}

const KNOWN = ["trusted root", "bundle", "evidence", "row proof", "presence", "absence", "log proof", "statement", "checkpoint"];

/**
 * Checks files that belong together: [{ name, bytes }]. The trusted root is one of them; without it nothing is proved.
 * Gives { outcome: "verified" | "refused" | "incomplete" | "unreadable", checks, facts, kinds }.
 */
export async function examine(files) {
  const report = new Report();
  const of = {};
  for (const { name, bytes } of files) {
    const limit = isGzip(bytes) || bytes.length > LARGEST_FILE ? LARGEST_PROOF : LARGEST_FILE;
    const kind = bytes.length <= limit ? kindOf(bytes) : null;
    if (!kind) report.say("FAIL", "file", `${name} is not a kind of file that this program knows, or too large`);
    else if (of[kind]) report.say("FAIL", "file", `${name}: there is a ${kind} already; check one case at a time`);
    else if (kind !== "row proof" && bytes.length > LARGEST_FILE) report.say("FAIL", "file", `${name} is too large`);
    else of[kind] = { name, bytes, kind };
  }
  const kinds = KNOWN.filter((kind) => of[kind]);
  if (kinds.every((kind) => kind === "trusted root")) return { outcome: "unreadable", checks: report.checks, facts: [], kinds };
  let trust = null;
  if (of["trusted root"]) {
    trust = await report.step("trusted root", async () => {
      const found = await readTrust(of["trusted root"].bytes);
      return { found, detail: `${found.keys.length} keys, log ${found.origin}` };
    });
  } else {
    report.leftOut("signatures", "trusted_root.json was not given; without it anybody could have written these files");
  }
  // A trusted root that cannot be read is not the same as none: nothing is checked under it.
  if (trust !== undefined) await examineDocuments(report, of, trust);
  const failed = report.checks.some((check) => check.outcome === "FAIL");
  const outcome = failed ? "refused" : trust ? "verified" : "incomplete";
  return { outcome, checks: report.checks, facts: report.facts, kinds };
}

async function examineDocuments(report, of, trust) {
  const bundle = of.bundle && await checkBundle(report, of.bundle, trust);
  const document = of.evidence && (!of.bundle || bundle) && await checkEvidence(report, of.evidence, of["row proof"], bundle, trust);
  if (of["row proof"] && !of.evidence) report.say("FAIL", "row proof", "it says nothing alone; give the evidence that cites it");
  if (bundle?.name === "certificate/v1" && !of.evidence) {
    report.leftOut("evidence", "ID.evidence.json was not given: the statements that the certificate rests on, the struck neurons and the row proof were not checked");
  }
  for (const kind of ["presence", "absence"]) if (of[kind]) await checkListing(report, of[kind], trust);
  const envelope = bundle?.envelope ?? document?.exhibits?.[6]?.envelope ?? null;
  if (of["log proof"]) await checkLogProof(report, of["log proof"], envelope, trust);
  if (of.statement) {
    await report.step("statement", async () => {
      const found = readCanonical(of.statement.bytes, "statement");
      fits(found, ENVELOPE, "envelope");
      const opened = await openEnvelope(found, null, trust, null);
      return { detail: `${opened.name} about ${opened.subject.name}${trust ? `, signed by the ${opened.role} key` : ""}` };
    });
    report.leftOut("place in the log", "a bare statement does not show it");
  }
  if (of.checkpoint) {
    await report.step("checkpoint", async () => {
      const found = await openCheckpoint(decode(of.checkpoint.bytes), trust);
      return { detail: `${found.size} leaves, root ${hex(found.root)}; ${found.further} further signature lines, not checked` };
    });
  }
}

/** For tests against the published vectors. */
export const parts = { seedOf, mask, hex, unhex };
