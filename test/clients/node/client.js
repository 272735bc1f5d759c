// client - asks a server what test/system/resp_clients.py expects, by node-redis or ioredis: LIBRARY PORT TOKEN
// PROTOCOL. Prints what was answered as JSON. NODE_PATH says where the libraries are.
const [library, port, token, protocol] = process.argv.slice(2);

async function byRedis() {
  const { createClient } = require('redis');
  const client = createClient({
    socket: { host: '127.0.0.1', port: Number(port), reconnectStrategy: false },
    password: token, RESP: Number(protocol), name: 'node',
  });
  await client.connect();
  const ping = await client.ping();
  return {
    ping,
    ask: (...words) => client.sendCommand(words.map(String)),
    together: (many) => Promise.all(many.map((words) => client.sendCommand(words.map(String)))),
    close: () => client.close(),
  };
}

async function byIoredis() {
  const Redis = require('ioredis');
  const client = new Redis({ host: '127.0.0.1', port: Number(port), password: token, connectionName: 'node' });
  const ping = await client.ping();
  return {
    ping,
    ask: (name, ...words) => client.call(name, ...words),
    together: async (many) => (await client.pipeline(many.map((words) => ['call', ...words])).exec())
      .map(([error, answer]) => { if (error) throw error; return answer; }),
    close: () => client.quit(),
  };
}

async function main() {
  const client = await (library === 'redis' ? byRedis() : byIoredis());
  const key = library + protocol;
  const said = { ping: client.ping, throttle: [] };
  for (let i = 0; i < 4; i++) {
    said.throttle.push(await client.ask('CL.THROTTLE', key, 2, 1, 86400));
  }
  said.check = await client.ask('WEIR.CHECK', 'ATTRS', 1, 'ip', key);
  const many = Array.from({ length: 100 }, () => ['THROTTLE', key + 'p', 50, 1, 86400]);
  said.allowed = (await client.together(many)).reduce((sum, answer) => sum + answer[0], 0);
  try {
    await client.ask('CL.THROTTLE', key, 'x', 1, 1);
  } catch (error) {
    said.error = error.message;
  }
  console.log(JSON.stringify(said));
  await client.close();
}

main().catch((error) => { console.error(error); process.exit(1); });
