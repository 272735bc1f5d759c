// A peer in JavaScript: rate-limiter-flexible over ioredis, as its documentation shows it.
//
//     node client.js PORT              reads commands, one a line, answers each with one of JSON:
//
//     once LIMIT KEY                   asks once; LIMIT is open or tight, as measure.py has them
//     run LANES KEYS MS                asks for MS milliseconds; LANES at a time are under way
//
// Kind to it: ioredis writes together what is asked in one turn of the loop (enableAutoPipelining).
'use strict';

const readline = require('node:readline');
const Redis = require('ioredis');
const { RateLimiterRedis, RateLimiterRes } = require('rate-limiter-flexible');

// As LOAD_STEP.
const STEP = 61803;

const client = new Redis({ host: '127.0.0.1', port: Number(process.argv[2]),
  enableAutoPipelining: true });
const limits = {
  open: new RateLimiterRedis({ storeClient: client, points: 1000, duration: 86400 }),
  tight: new RateLimiterRedis({ storeClient: client, points: 1, duration: 3600 }),
};
let next = 0;

// Being denied is a rejected promise, whose reason says when to come again.
async function ask(limit, key) {
  try {
    await limits[limit].consume(key);
    return 1;
  } catch (reason) {
    if (reason instanceof RateLimiterRes) {
      return 0;
    }
    throw reason;
  }
}

async function lane(sum, at, keys, end) {
  for (let before = performance.now(); before < end;) {
    const admitted = await ask('open', 'user:' + String(at).padStart(11, '0'));
    sum.admitted += admitted;
    const after = performance.now();
    sum.ns.push(Math.round((after - before) * 1e6));
    at = (at + STEP) % keys;
    before = after;
  }
}

async function run(lanes, keys, milliseconds) {
  const sum = { admitted: 0, ns: [] };
  const start = performance.now();
  const under_way = [];
  for (let i = 0; i < lanes; i++) {
    const at = (next + Math.floor(i * keys / lanes)) % keys;
    under_way.push(lane(sum, at, keys, start + milliseconds));
  }
  await Promise.all(under_way);
  const elapsed = performance.now() - start;
  const count = sum.ns.length;
  next = (next + count * STEP) % keys;
  sum.ns.sort((a, b) => a - b);
  const percentile = (percent) => sum.ns[Math.floor((count - 1) * percent / 100)];
  return { count, admitted: sum.admitted, ns: Math.round(elapsed * 1e6),
    p50: percentile(50), p99: percentile(99) };
}

async function command(line) {
  const words = line.trim().split(/\s+/);
  if (words.length === 3 && words[0] === 'once') {
    return { admitted: await ask(words[1], words[2]) };
  }
  if (words.length === 4 && words[0] === 'run') {
    return run(Number(words[1]), Number(words[2]), Number(words[3]));
  }
  throw new Error('what is meant by: ' + line);
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await command(line)) + '\n');
  }
  client.disconnect();
}

main().catch((error) => {
  process.stderr.write('bench/redis/node: ' + error.stack + '\n');
  process.exit(2);
});
