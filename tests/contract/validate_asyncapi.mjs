// Validates an AsyncAPI document; prints one line per error and ends with 1 if there is any.
// Usage: node validate_asyncapi.mjs FILE NODE_MODULES
import { createRequire } from "node:module";
import { resolve } from "node:path";

const [file, modules] = process.argv.slice(2);
const { Parser, fromFile } = createRequire(resolve(modules, "_"))("@asyncapi/parser");
const parser = new Parser();
const { document, diagnostics } = await fromFile(parser, file).parse();
const errors = diagnostics.filter((each) => each.severity === 0);
for (const each of errors) console.log(`${each.path.join(".")}: ${each.message}`);
if (document) for (const message of document.allMessages()) console.log(`message ${message.name()}`);
process.exit(errors.length || !document ? 1 : 0);
