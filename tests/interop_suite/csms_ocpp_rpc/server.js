// A small CSMS for OCPP 1.6 on ocpp-rpc, in its strict mode. Its operator's API takes commands as tasks: their results
// are asked for later, or posted to a hook. It knows nothing of Plugstorm.
//
// It writes its addresses as one line of JSON and lives until its standard input ends. The operator's password comes in
// the environment variable CSMS_PASSWORD.
'use strict';

const http = require('http');
const crypto = require('crypto');
const { RPCServer, createRPCError } = require('ocpp-rpc');

const stations = new Map(); // id -> { key: Buffer | null }
const cards = new Map(); // number in upper case -> { state, family }
const charges = [];
const online = new Map(); // id -> client
const tasks = new Map();
const sessions = new Set();

// -- stations --------------------------------------------------------------------------------------------------------

// 32 to 40 hexadecimal digits write a raw key; anything else is text.
const keyOf = (text) => Buffer.from(text, /^(?:[0-9a-f]{2}){16,20}$/i.test(text) ? 'hex' : 'utf8');

function card(number) {
  const known = cards.get(number.toUpperCase());
  if (!known) return { status: 'Invalid' };
  return { status: known.state, ...(known.family ? { parentIdTag: known.family } : {}) };
}

const nothing = () => ({});
const handlers = {
  BootNotification: () => ({ status: 'Accepted', interval: 600, currentTime: new Date().toISOString() }),
  Heartbeat: () => ({ currentTime: new Date().toISOString() }),
  Authorize: ({ params }) => ({ idTagInfo: card(params.idTag) }),
  StartTransaction: ({ params }, id) => {
    charges.push({ station: id, start: params, stop: null });
    return { transactionId: charges.length, idTagInfo: card(params.idTag) };
  },
  StopTransaction: ({ params }) => {
    const charge = charges[params.transactionId - 1];
    if (charge) charge.stop = params;
    return params.idTag ? { idTagInfo: card(params.idTag) } : {};
  },
  DataTransfer: () => ({ status: 'UnknownVendorId' }),
  SignCertificate: () => ({ status: 'Rejected' }),
  StatusNotification: nothing,
  MeterValues: nothing,
  DiagnosticsStatusNotification: nothing,
  FirmwareStatusNotification: nothing,
  LogStatusNotification: nothing,
  SecurityEventNotification: nothing,
  SignedFirmwareStatusNotification: nothing,
};

const rpc = new RPCServer({ protocols: ['ocpp1.6'], strictMode: true, callTimeoutMs: 5000 });

rpc.auth((accept, reject, handshake) => {
  const station = stations.get(handshake.identity);
  if (!station) return reject(404, 'unknown station');
  const given = handshake.password;
  if (station.key && !(given && given.length === station.key.length && crypto.timingSafeEqual(given, station.key))) {
    return reject(401, 'wrong key');
  }
  return accept({});
});

rpc.on('client', (client) => {
  online.set(client.identity, client);
  client.once('close', () => {
    if (online.get(client.identity) === client) online.delete(client.identity);
  });
  for (const [action, handler] of Object.entries(handlers)) {
    client.handle(action, (request) => handler(request, client.identity));
  }
  client.handle(({ method }) => {
    throw createRPCError('NotImplemented', `${method} is not known here`);
  });
});

// -- tasks -----------------------------------------------------------------------------------------------------------

async function carryOut(task) {
  const client = online.get(task.station);
  if (!client) {
    Object.assign(task, { state: 'undeliverable', problem: { text: 'the station is not connected' } });
  } else {
    try {
      const reply = await client.call(task.method, task.params);
      learn(task, reply);
      Object.assign(task, { state: 'finished', reply });
    } catch (error) {
      const late = error.message === 'Call timeout';
      const problem = { code: error.rpcErrorCode ?? error.code ?? null, text: error.message };
      Object.assign(task, { state: late ? 'expired' : 'failed', problem });
    }
  }
  if (task.hook) {
    const body = JSON.stringify({ task: task.number, state: task.state, reply: task.reply, problem: task.problem });
    await fetch(task.hook, { method: 'POST', body, headers: { 'Content-Type': 'application/json' } }).catch(() => {});
  }
}

function learn(task, reply) {
  const { key, value } = task.params;
  if (task.method === 'ChangeConfiguration' && key === 'AuthorizationKey' && reply.status === 'Accepted') {
    stations.get(task.station).key = keyOf(value);
  }
}

// -- the operator's API ----------------------------------------------------------------------------------------------

const routes = [
  ['POST', /^\/session$/, (_, body) => {
    if (body.password !== process.env.CSMS_PASSWORD) return [403, { problem: 'wrong password' }];
    const ticket = crypto.randomUUID();
    sessions.add(ticket);
    return [201, { ticket }];
  }],
  ['DELETE', /^\/session$/, () => {
    sessions.clear();
    return [204];
  }],
  ['GET', /^\/up$/, () => [200, { stations: stations.size }]],
  ['POST', /^\/stations$/, (_, body) => {
    stations.set(body.id, { key: body.key ? keyOf(body.key) : null });
    return [201, {}];
  }],
  ['POST', /^\/cards$/, (_, body) => {
    cards.set(body.number.toUpperCase(), body);
    return [201, {}];
  }],
  ['GET', /^\/stations\/([^/]+)\/charges$/, ([id]) => [200, {
    charges: charges.map((charge, index) => ({ ...charge, id: index + 1 })).filter((charge) => charge.station === id),
  }]],
  ['POST', /^\/tasks$/, (_, body) => {
    const task = { ...body, number: tasks.size + 1, state: 'running' };
    tasks.set(task.number, task);
    setImmediate(carryOut, task);
    return [202, { number: task.number }];
  }],
  ['GET', /^\/tasks\/(\d+)$/, ([number]) => {
    const task = tasks.get(Number(number));
    return task ? [200, { state: task.state, reply: task.reply, problem: task.problem }] : [404, {}];
  }],
];

const api = http.createServer(async (request, response) => {
  const end = (status, document) => {
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(document === undefined ? '' : JSON.stringify(document));
  };
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const path = decodeURIComponent(request.url);
  const ticket = request.headers['x-ticket'];
  if (path !== '/session' && !sessions.has(ticket)) return end(401, { problem: 'no session' });
  const route = routes.find(([method, pattern]) => method === request.method && pattern.test(path));
  if (!route) return end(404, { problem: 'no such resource' });
  try {
    const body = chunks.length ? JSON.parse(Buffer.concat(chunks)) : {};
    return end(...route[2](path.match(route[1]).slice(1), body));
  } catch (error) {
    return end(400, { problem: String(error) });
  }
});

async function main() {
  const socket = await rpc.listen(0, '127.0.0.1');
  await new Promise((ready) => api.listen(0, '127.0.0.1', ready));
  const [ws, web] = [socket, api].map((server) => server.address().port);
  console.log(JSON.stringify({ url: `ws://127.0.0.1:${ws}`, api: `http://127.0.0.1:${web}` }));
  process.stdin.on('end', () => process.exit(0)).resume();
}

main();
