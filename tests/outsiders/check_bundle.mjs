#!/usr/bin/env node
// Check Sigstore bundles with npm's @sigstore/verify: TRUST FILE...
//
// TRUST is a folder with trusted_root.json (a Sigstore TrustedRoot) and a PEM for each key that may sign; a bundle names
// its key by hint, the hexadecimal SHA-256 of {"keytype":"ed25519","keyval":{"public":HEX},"scheme":"ed25519"}. Run it in
// a folder where the packages are installed: npm install @sigstore/bundle @sigstore/protobuf-specs @sigstore/verify
//
// Prints a line for each file, `ok FILE` or `REFUSED FILE REASON`. Exit status 0 if all are accepted, 1 if not, 2 if the
// trusted root cannot be used.
//
// What @sigstore/verify 3.1 needs of a bundle: mediaType, one signature, publicKey.hint, and for each log entry logId,
// kindVersion, canonicalizedBody and inclusionProof {logIndex, hashes, checkpoint.envelope}; of the trusted root: baseUrl,
// logId.keyId and publicKey {rawBytes, keyDetails}. The four lists must be there, members that it does not know are not
// looked at. timestampThreshold must be 0: our log gives no signed time, and integratedTime is "0".
//
// What it verifies: the envelope's signature by the key of the hint; the checkpoint's signature by a log of the trusted
// root, which it finds by the first four bytes of logId.keyId and by the origin, taken as a regular expression, in
// baseUrl; the audit path from canonicalizedBody to the checkpoint's root; that the body names payload and signature.
//
// What it does NOT look at, so that a flip there must be noticed by a stricter reader (`obelus verify`): the envelope's
// keyid, the entry's own logIndex, logId and integratedTime, rootHash and treeSize of the inclusion proof (it takes both
// from the checkpoint), envelopeHash and verifier within the body (the log has them all the same), the version in
// mediaType, validFor of a log, members that it does not know, and whether base64 has its one spelling.
import { createHash, createPublicKey } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.cwd(), 'package.json'));
const { bundleFromJSON } = require('@sigstore/bundle');
const { TrustedRoot } = require('@sigstore/protobuf-specs');
const { toSignedEntity, toTrustMaterial, Verifier } = require('@sigstore/verify');

function keyId(key) {
  const hex = Buffer.from(key.export({ format: 'jwk' }).x, 'base64url').toString('hex');
  const text = `{"keytype":"ed25519","keyval":{"public":"${hex}"},"scheme":"ed25519"}`;
  return createHash('sha256').update(text).digest('hex');
}

function verifier(folder) {
  const root = TrustedRoot.fromJSON(JSON.parse(readFileSync(join(folder, 'trusted_root.json'), 'utf8')));
  const keys = {};
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.pem'))) {
    const key = createPublicKey(readFileSync(join(folder, name)));
    if (key.asymmetricKeyType === 'ed25519') {
      keys[keyId(key)] = { rawBytes: key.export({ format: 'der', type: 'spki' }) };
    }
  }
  const thresholds = { ctlogThreshold: 0, timestampThreshold: 0, tlogThreshold: 1 };
  return new Verifier(toTrustMaterial(root, keys), thresholds);
}

const [folder, ...files] = process.argv.slice(2);
let trusted;
try {
  trusted = verifier(folder);
} catch (error) {
  console.error(`${folder}: ${error.message}`);
  process.exit(2);
}
for (const file of files) {
  try {
    trusted.verify(toSignedEntity(bundleFromJSON(JSON.parse(readFileSync(file, 'utf8')))));
    console.log(`ok ${file}`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`REFUSED ${file} ${error.code ?? error.name}: ${error.message}`.replaceAll('\n', ' '));
  }
}
