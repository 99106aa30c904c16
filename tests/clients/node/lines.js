// SPDX-License-Identifier: Apache-2.0
//
// How a test talks with an application: commands come on its standard input, one a line, and each is answered, in this order,
// by a line on its standard output, "answer" and JSON.
'use strict';

const readline = require('readline');

const say = (word, value) => process.stdout.write(`${word} ${JSON.stringify(value)}\n`);

// Each command gets what it calls with its answer, and the words of its line.
function serve(commands) {
  const lines = readline.createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const [name, ...words] = line.trim().split(' ');
    commands[name]((answer) => say('answer', answer), ...words);
  });
  lines.on('close', () => process.exit(0));
  process.stdout.write('started\n');
}

module.exports = { say, serve };
