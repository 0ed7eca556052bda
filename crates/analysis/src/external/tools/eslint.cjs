// Runs ESLint's security rules on files and writes, as one JSON object, versions and what was said of each file.
// Comments in the files that change rules are not obeyed, and no configuration is looked for.
const fs = require("fs");
const path = require("path");

const [modules, ...names] = process.argv.slice(2);
const { Linter } = require(path.join(modules, "eslint"));
const security = require(path.join(modules, "eslint-plugin-security"));
const version = (name) => JSON.parse(fs.readFileSync(path.join(modules, name, "package.json"))).version;

const rules = Object.fromEntries(Object.keys(security.rules).map((rule) => ["security/" + rule, 2]));
const settings = (sourceType) => [{
  files: ["**/*"],
  plugins: { security },
  rules,
  languageOptions: { sourceType, ecmaVersion: "latest", parserOptions: { ecmaFeatures: { jsx: true } } },
}];

function lint(text) {
  let messages = [];
  // What is no module may still be a script that node would run.
  for (const sourceType of ["module", "commonjs"]) {
    messages = new Linter().verify(text, settings(sourceType), { filename: "text.js", allowInlineConfig: false });
    if (!messages.some((message) => message.fatal)) break;
  }
  return messages;
}

const files = {};
for (const name of names) {
  try {
    files[name] = { messages: lint(fs.readFileSync(name, "utf8")) };
  } catch (error) {
    files[name] = { failure: String(error).slice(0, 300) };
  }
}
fs.writeSync(1, JSON.stringify({ version: version("eslint") + "+" + version("eslint-plugin-security"), files }));
