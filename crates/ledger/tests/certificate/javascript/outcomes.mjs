// Prints one line for every folder of cases: its name and what obelus.mjs makes of the files in it. One process for
// hundreds of cases; the command line itself is tested apart.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { webcrypto } from "node:crypto";

globalThis.crypto ??= webcrypto;
const [verifier, folder] = process.argv.slice(2);
const { examine } = await import(verifier);
for (const name of readdirSync(folder)) {
  const files = readdirSync(join(folder, name));
  const read = files.map((file) => ({ name: file, bytes: new Uint8Array(readFileSync(join(folder, name, file))) }));
  const { outcome, checks } = await examine(read);
  const failed = checks.filter((check) => check.outcome === "FAIL").map((check) => `${check.name}: ${check.detail}`);
  console.log([name, outcome, failed.join("; ").replaceAll(/\s+/g, " ")].join("\t"));
}
