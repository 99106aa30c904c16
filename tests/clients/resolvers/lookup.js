// SPDX-License-Identifier: Apache-2.0
//
// Node: `lookup` (getaddrinfo on a thread) or `resolve` (its own c-ares, resolve4 and resolve6), by the argument. The same
// lines as lookup.c; `resolve` of both families asks for one after the other.
'use strict';
const dns = require('dns').promises;
const lines = require('readline').createInterface({ input: process.stdin });

async function lookUp(name, family) {
  if (process.argv[2] === 'lookup') {
    return (await dns.lookup(name, { all: true, family })).map((each) => each.address);
  }
  const v4 = family === 6 ? [] : await dns.resolve4(name);
  return family === 4 ? v4 : v4.concat(await dns.resolve6(name));
}

(async () => {
  for await (const line of lines) {
    const [name, family, times] = line.split(' ');
    let out = '';
    for (let i = 0; i < Number(times); i++) {
      try {
        out += (await lookUp(name, Number(family))).join(' ') + '\n';
      } catch (error) {
        out += `! ${error.message}\n`;
      }
    }
    process.stdout.write(out);
  }
})();
