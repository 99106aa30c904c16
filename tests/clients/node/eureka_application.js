// SPDX-License-Identifier: Apache-2.0
//
// An application from before the mesh with eureka-js-client or its fork: it registers and keeps the registry. What it knows is
// asked for on its standard input, a command a line, each answered by a line of JSON.
//
//   eureka_application.js PACKAGE PORT
//   eureka_application.js PACKAGE decode LIST   says what it understands of the lists in files, the lines of LIST
'use strict';

const fs = require('fs');
const { serve } = require('./lines');

const [packageName, port, list] = process.argv.slice(2);
const { Eureka } = require(packageName);
const logger = { warn: console.error, info: console.error, debug: () => {}, error: console.error };

const client = new Eureka({
  logger,
  instance: {
    app: 'orders',
    instanceId: '10.1.0.9:orders:7070',
    hostName: '10.1.0.9',
    ipAddr: '10.1.0.9',
    port: { $: 7070, '@enabled': true },
    vipAddress: 'orders',
    metadata: { version: 'v7' },
    dataCenterInfo: { '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo', name: 'MyOwn' },
  },
  eureka: {
    host: '127.0.0.1',
    port,
    servicePath: '/eureka/v2/apps/',
    heartbeatInterval: 200,
    registryFetchInterval: 500,
    waitForRegistry: true,
  },
});

let heartbeats = 0;
client.on('heartbeat', () => {
  heartbeats += 1;
});

function entry(instance) {
  const secure = instance.securePort['@enabled'] === 'true';
  return {
    app: instance.app,
    id: instance.instanceId,
    host: instance.hostName,
    ip: instance.ipAddr,
    port: (secure ? instance.securePort : instance.port).$,
    secure,
    status: instance.status,
    vip: instance.vipAddress || '',
    metadata: instance.metadata,
  };
}

const commands = {
  start: (done) => client.start((error) => done(error ? { error: String(error) } : 'ok')),
  stop: (done) => client.stop((error) => done(error ? { error: String(error) } : 'ok')),
  fetch: (done) => client.fetchRegistry((error) => done(error ? { error: String(error) } : 'ok')),
  heartbeats: (done) => done(heartbeats),
  vip: (done, name) => done(client.getInstancesByVipAddress(name).map(entry)),
  app: (done, name) => done(client.getInstancesByAppId(name).map(entry)),
  names: (done) => done(Object.keys(client.cache.app).sort()),
};

// Read as a whole list and as a delta of nothing.
function decode(file) {
  const body = fs.readFileSync(file, 'utf8');
  client.cache = { app: {}, vip: {} };
  client.handleDelta(client.cache, JSON.parse(body).applications.application);
  client.transformRegistry(JSON.parse(body));
  return Object.values(client.cache.app).flat().map(entry);
}

if (port === 'decode') {
  const files = fs.readFileSync(list, 'utf8').trimEnd().split('\n');
  process.stdout.write(files.map((file) => `${JSON.stringify(decode(file))}\n`).join(''));
} else {
  serve(commands);
}
