// What mailparser and postal-mime show of each message in a folder: node_readers.mjs READER FOLDER MODULES
import fs from 'node:fs';
import { createRequire } from 'node:module';

const [reader, folder, modules] = process.argv.slice(2);
const require = createRequire(modules + '/');
let parse;
if (reader === 'mailparser') {
  const { simpleParser } = require('mailparser');
  parse = (octets) => simpleParser(octets);
} else {
  const loaded = require('postal-mime');
  const PostalMime = loaded.default ?? loaded;
  parse = (octets) => PostalMime.parse(octets);
}
for (const file of fs.readdirSync(folder).sort()) {
  let message;
  try {
    message = await parse(fs.readFileSync(folder + '/' + file));
  } catch {
    continue;
  }
  for (const { filename, content } of message.attachments) {
    const octets = Buffer.from(content ?? '');
    const head = octets.subarray(0, 2).toString('hex') || '-';
    const name = Buffer.from(filename ?? '').toString('hex') || '-';
    console.log(file.replace(/\.eml$/, ''), head, name);
  }
}
