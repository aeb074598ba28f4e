#!/usr/bin/env node
// Writes obelus.mjs into web/static/verify.html, between its two marks, and the digests of script and style into its
// content policy. With --check it writes nothing and ends with 1 when the page is not what it would write.

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

const page = new URL("../../web/static/verify.html", import.meta.url);
const [begins, ends] = ["// obelus.mjs begins\n", "// obelus.mjs ends\n"];

const old = readFileSync(page, "utf8");
// One script in a page has nobody to export to.
const verifier = readFileSync(new URL("obelus.mjs", import.meta.url), "utf8").replaceAll(/^export /gm, "");
if (/<\/script|<!--/i.test(verifier)) throw new Error("obelus.mjs holds text that would end the script of the page");
const start = old.indexOf(begins) + begins.length;
let made = old.slice(0, start) + verifier + old.slice(old.indexOf(ends));
for (const [policy, tag] of [["script-src", "script"], ["style-src", "style"]]) {
  const inside = new RegExp(`<${tag}[^>]*>([^]*?)</${tag}>`).exec(made)[1];
  const digest = createHash("sha256").update(inside).digest("base64");
  made = made.replace(new RegExp(`${policy} 'sha256-[^']*'`), `${policy} 'sha256-${digest}'`);
}
if (process.argv[2] !== "--check") {
  writeFileSync(page, made);
} else if (made !== old) {
  console.error("web/static/verify.html is not built from obelus.mjs as it is: run node verifiers/javascript/build_page.mjs");
  process.exit(1);
}
