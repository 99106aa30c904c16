// SPDX-License-Identifier: Apache-2.0
//
// An application from before the mesh with the npm package nacos: it registers, lists and subscribes. What it knows is asked for
// on its standard input (see lines.js), each command with a service and its group, "-" where it has none. Of each list that a
// subscription brings it writes a line: "event", the service and the list.
//
//   nacos_application.js PORT [NAMESPACE]
//   nacos_application.js decode LIST   says what it understands of the lists in files, the lines of LIST
'use strict';

const fs = require('fs');
const { NacosNamingClient } = require('nacos');
const { say, serve } = require('./lines');

const [port, namespace] = process.argv.slice(2);
const logger = { ...console, log: console.error, info: console.error, debug: () => {} };
const client = new NacosNamingClient({ logger, serverList: `127.0.0.1:${port}`, ...(namespace && { namespace }) });
const listeners = new Map(); // by service and group

const entry = (instance) => ({
  id: instance.instanceId,
  ip: instance.ip,
  port: instance.port,
  weight: instance.weight,
  healthy: instance.healthy,
  enabled: instance.enabled,
  cluster: instance.clusterName,
  service: instance.serviceName,
  metadata: instance.metadata,
});
const own = (ip, ownPort) => ({ ip, port: Number(ownPort), metadata: { version: 'v7', zone: 'z 1&2=3%' } });
const groupName = (group) => (group === '-' ? undefined : group);

async function subscribe(service, group) {
  const listener = (hosts) => say(`event ${service}`, hosts.map(entry));
  listeners.set(`${group}@@${service}`, listener);
  client.subscribe({ serviceName: service, groupName: groupName(group) }, listener);
  return 'ok';
}

async function unsubscribe(service, group) {
  const key = `${group}@@${service}`;
  client.unSubscribe({ serviceName: service, groupName: groupName(group) }, listeners.get(key));
  listeners.delete(key);
  return 'ok';
}

const asked = {
  list: async (service, group) => (await client.getAllInstances(service, groupName(group))).map(entry),
  select: async (service, group) => (await client.selectInstances(service, groupName(group))).map(entry),
  subscribe,
  unsubscribe,
  register: async (service, group, ...place) => {
    await client.registerInstance(service, own(...place), groupName(group));
    return 'ok';
  },
  deregister: async (service, group, ...place) => {
    await client.deregisterInstance(service, own(...place), groupName(group));
    return 'ok';
  },
  health: async () => client.getServerStatus(),
};

// Each with its promise's end as its answer.
const commands = Object.fromEntries(
  Object.entries(asked).map(([name, ask]) => [
    name,
    (done, ...words) => ask(...words).then(done, (error) => done({ error: String(error) })),
  ]),
);

// As the client reads what it is sent, where it has known nothing before; of an empty list it makes nothing.
function decode(file) {
  client._hostReactor._serviceInfoMap.clear();
  return (client._hostReactor.processServiceJSON(fs.readFileSync(file, 'utf8'))?.hosts ?? []).map(entry);
}

async function main() {
  await client.ready();
  if (port === 'decode') {
    const files = fs.readFileSync(namespace, 'utf8').trimEnd().split('\n');
    process.stdout.write(files.map((file) => `${JSON.stringify(decode(file))}\n`).join(''), () => process.exit(0));
  } else {
    serve(commands);
  }
}

main();
