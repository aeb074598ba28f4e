#!/usr/bin/env node
// The command line of obelus.mjs: reads files, prints every check. Node 20 or later, its standard library only.
//
//     node check.mjs FILE... [--trust DIR|trusted_root.json]
//     node check.mjs --vectors null-v1.json
//
// FILE: ID.json, ID.evidence.json, ID.rowproof.json, ID.tlog-proof, a presence or absence, a statement, a checkpoint.
// Exit status: 0 verified, 1 not verified, 2 a file cannot be read or is of no known kind.

import { readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { webcrypto } from "node:crypto";

globalThis.crypto ??= webcrypto; // node 18 keeps it elsewhere
const { examine, parts } = await import("./obelus.mjs");

// File names and texts in documents may hold control characters that would rewrite the terminal.
const plain = (text) => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\ufffd");

function usage() {
  console.error("usage: node check.mjs FILE... [--trust DIR|trusted_root.json]");
  process.exit(2);
}

function read(path) {
  try {
    return { name: basename(path), bytes: new Uint8Array(readFileSync(path)) };
  } catch (error) {
    console.error(`cannot read: ${plain(error.message)}`);
    return process.exit(2);
  }
}

async function vectors(path) {
  const { "null-seed/v1": seeds, "null-mask/v1": masks } = JSON.parse(new TextDecoder().decode(read(path).bytes));
  for (const one of seeds) {
    const seed = parts.hex(await parts.seedOf(one.campaign_salt, one.lineage, one.source));
    if (seed !== one.seed) throw new Error(`${one.source}: the seed is ${seed}`);
  }
  for (const one of masks) {
    const lit = await parts.mask(parts.unhex(one.seed), one.layer, one.n, one.k);
    const bytes = Uint8Array.from(lit.flatMap((j) => [j >>> 24, j >>> 16, j >>> 8, j].map((byte) => byte & 255)));
    const digest = parts.hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
    const listed = one.neurons ? lit.join() === one.neurons.join() : digest === one.sha256_of_u32be_list;
    if (!listed) throw new Error(`layer ${one.layer}, ${one.k} of ${one.n}: other neurons`);
  }
  console.log(`ok   ${seeds.length} seeds and ${masks.length} masks are those of the vectors`);
}

const args = process.argv.slice(2);
if (args[0] === "--vectors" && args.length === 2) {
  await vectors(args[1]).catch((error) => { console.log(`FAIL ${error.message}`); process.exit(1); });
  process.exit(0);
}
const paths = [];
for (let at = 0; at < args.length; at++) {
  if (args[at] !== "--trust") paths.push(args[at]);
  else if (args[++at] === undefined) usage();
  else paths.push(statSync(args[at], { throwIfNoEntry: false })?.isDirectory() ? join(args[at], "trusted_root.json") : args[at]);
}
if (paths.length === 0 || paths.some((path) => path.startsWith("--"))) usage();

const { outcome, checks, facts } = await examine(paths.map(read));
for (const { outcome: came, name, detail } of checks) console.log(`${came === "left out" ? "left out:" : came.padEnd(4)} ${name}: ${plain(detail)}`);
for (const [label, value] of facts) console.log(`     ${label}: ${plain(value)}`);
console.log({
  verified: "VERIFIED as far as the checks above go.",
  refused: "NOT VERIFIED.",
  incomplete: "NOT VERIFIED: without trusted_root.json (--trust) no signature was checked.",
  unreadable: "Nothing here can be checked: no file of a known kind.",
}[outcome]);
process.exit({ verified: 0, refused: 1, incomplete: 1, unreadable: 2 }[outcome]);
