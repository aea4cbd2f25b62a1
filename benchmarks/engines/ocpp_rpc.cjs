// ocpp-rpc on Node, as its README shows; speaks the lines of benchmarks/engines/speech.py.
'use strict';

const readline = require('node:readline');
const { RPCClient } = require('ocpp-rpc');

const AT_ONCE = 200;
const [url, stations] = [process.argv[2], Number(process.argv[3])];
const clients = [];

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const rssKb = () => Math.round(process.memoryUsage.rss() / 1024);

function watch() {
  const since = process.hrtime.bigint();
  const cpu = process.cpuUsage();
  return () => {
    const spent = process.cpuUsage(cpu);
    return {
      seconds: Number(process.hrtime.bigint() - since) / 1e9,
      cpu_s: (spent.user + spent.system) / 1e6,
    };
  };
}

async function connect() {
  let next = 1;
  const worker = async () => {
    while (next <= stations) {
      const identity = `B${String(next++).padStart(6, '0')}`;
      const client = new RPCClient({
        endpoint: url,
        identity,
        protocols: ['ocpp2.0.1'],
        reconnect: false,
        pingIntervalMs: 0,
      });
      clients.push(client);
      await client.connect();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function run(order) {
  let [calls, errors, running] = [0, 0, true];
  const passed = watch();
  setTimeout(() => { running = false; }, order.seconds * 1000);
  const loop = async (client) => {
    while (running) {
      try {
        await client.call(order.action, order.payload);
        calls += 1;
      } catch {
        errors += 1;
      }
    }
  };
  await Promise.all(clients.map(loop));
  say({ calls, errors, rss_kb: rssKb(), ...passed() });
}

async function main() {
  const before = rssKb();
  const passed = watch();
  await connect();
  say({ stations, rss_before_kb: before, rss_after_kb: rssKb(), ...passed() });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    await run(JSON.parse(line));
  }
  process.exit(0);
}

main();
