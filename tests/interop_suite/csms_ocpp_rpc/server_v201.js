// A small CSMS for OCPP 2.0.1 on ocpp-rpc, in its strict mode, whose operator's API is that of Plugstorm's preset `http`.
//
// It writes its addresses as one line of JSON and lives until its standard input ends.
'use strict';

const http = require('http');
const { RPCServer, createRPCError } = require('ocpp-rpc');

const stations = new Map(); // id -> station
const tokens = new Map(); // token in upper case -> what the operator said of it
const started = new Set(); // tokens that the operator started sessions with
const online = new Map(); // id -> client
const lists = {
  ClearVariableMonitoring: 'id',
  GetVariables: 'getVariableData',
  SetVariableMonitoring: 'setMonitoringData',
  SetVariables: 'setVariableData',
};

// -- stations --------------------------------------------------------------------------------------------------------

function infoOf(token) {
  const value = token.idToken.toUpperCase();
  const known = tokens.get(value);
  if (token.type === 'NoAuthorization' || (!known && started.has(value))) return { status: 'Accepted' };
  if (!known) return { status: 'Invalid' };
  const info = { status: known.status };
  if (known.cacheExpiryDateTime) info.cacheExpiryDateTime = known.cacheExpiryDateTime;
  const group = known.groupIdToken;
  if (group) info.groupIdToken = typeof group === 'string' ? { idToken: group, type: 'Central' } : group;
  return info;
}

const nothing = () => ({});
const handlers = {
  BootNotification: (_, station) => {
    station.status = station.boot_status ?? 'Accepted';
    station.expected = new Set(['NotifyReport']);
    return { status: station.status, interval: station.interval ?? 600, currentTime: new Date().toISOString() };
  },
  Heartbeat: () => ({ currentTime: new Date().toISOString() }),
  Authorize: (params) => ({ idTokenInfo: infoOf(params.idToken) }),
  TransactionEvent: (params) => (params.idToken ? { idTokenInfo: infoOf(params.idToken) } : {}),
  DataTransfer: () => ({ status: 'UnknownVendorId' }),
  SignCertificate: () => ({ status: 'Rejected' }),
  Get15118EVCertificate: () => ({ status: 'Failed', exiResponse: '' }),
  GetCertificateStatus: () => ({ status: 'Failed' }),
  NotifyEVChargingNeeds: () => ({ status: 'Rejected' }),
  NotifyEVChargingSchedule: () => ({ status: 'Accepted' }),
};
for (const action of ['ClearedChargingLimit', 'FirmwareStatusNotification', 'LogStatusNotification', 'MeterValues',
  'NotifyChargingLimit', 'NotifyCustomerInformation', 'NotifyDisplayMessages', 'NotifyEvent', 'NotifyMonitoringReport',
  'NotifyReport', 'PublishFirmwareStatusNotification', 'ReportChargingProfiles', 'ReservationStatusUpdate',
  'SecurityEventNotification', 'StatusNotification']) handlers[action] = nothing;

const rpc = new RPCServer({ protocols: ['ocpp2.0.1'], strictMode: true, callTimeoutMs: 5000 });

rpc.auth((accept, reject, handshake) => {
  const station = stations.get(handshake.identity);
  if (!station) return reject(404, 'unknown station');
  const wanted = station.password == null ? null : Buffer.from(station.password, 'utf8');
  if (wanted && !(handshake.password && wanted.equals(handshake.password))) return reject(401, 'wrong password');
  return accept({});
});

rpc.on('client', (client) => {
  online.set(client.identity, client);
  client.once('close', () => {
    if (online.get(client.identity) === client) online.delete(client.identity);
  });
  const station = stations.get(client.identity);
  for (const [action, handler] of Object.entries(handlers)) {
    client.handle(action, ({ params }) => {
      const expected = station.status === 'Pending' && station.expected.has(action);
      if (action !== 'BootNotification' && station.status !== 'Accepted' && !expected) {
        throw createRPCError('SecurityError', 'this station is not accepted');
      }
      return handler(params, station);
    });
  }
  client.handle(({ method }) => {
    throw createRPCError('NotImplemented', `${method} is not known here`);
  });
});

// -- the operator's API ----------------------------------------------------------------------------------------------

function learn(station, action, params, reply) {
  if (action === 'TriggerMessage' && reply.status === 'Accepted') {
    station.expected.add(params.requestedMessage.startsWith('Sign') ? 'SignCertificate' : params.requestedMessage);
  }
  for (const entry of reply.getVariableResult ?? []) {
    const limit = /^[1-9]\d*$/.test(entry.attributeValue ?? '') ? Number(entry.attributeValue) : null;
    if (entry.variable.name === 'ItemsPerMessage' && limit) station.limits[entry.variable.instance] = limit;
  }
  (reply.setVariableResult ?? []).forEach((result, index) => {
    const sent = (params.setVariableData ?? [])[index];
    const taken = ['Accepted', 'RebootRequired'].includes(result.attributeStatus);
    if (sent?.variable.name === 'BasicAuthPassword' && taken) station.password = sent.attributeValue;
  });
}

const refused = (code, description) => [200, { status: 'error', code, description, origin: 'csms' }];

async function order(id, action, params) {
  const station = stations.get(id);
  const client = online.get(id);
  if (!station) return [404, {}];
  if (!client) return refused('NotConnected', 'the station is not connected');
  const remote = action === 'RequestStartTransaction' || action === 'RequestStopTransaction';
  if (station.status !== 'Accepted' && (station.status !== 'Pending' || remote)) {
    return refused('SecurityError', 'the station is not accepted');
  }
  const limit = station.limits[action];
  if (limit && params[lists[action]].length > limit) return refused('TooMany', `the station takes ${limit}`);
  if (action === 'RequestStartTransaction') started.add(params.idToken.idToken.toUpperCase());
  try {
    const payload = await client.call(action, params);
    learn(station, action, params, payload);
    return [200, { status: 'answered', payload }];
  } catch (error) {
    if (error.message === 'Call timeout') return [200, { status: 'timeout' }];
    const code = error.rpcErrorCode ?? error.code ?? 'InternalError';
    return [200, { status: 'error', code: String(code), description: error.message, origin: 'station' }];
  }
}

const shown = (id) => ({ id, connected: online.has(id), boot_status: stations.get(id).boot_status });
const routes = [
  ['GET', /^\/health$/, () => [200, { status: 'up' }]],
  ['POST', /^\/stations\/([^/]+)$/, ([id], body) => {
    const known = stations.get(id) ?? { password: null, status: null, expected: new Set(), limits: {} };
    stations.set(id, Object.assign(known, body));
    return [200, shown(id)];
  }],
  ['GET', /^\/stations\/([^/]+)$/, ([id]) => (stations.has(id) ? [200, shown(id)] : [404, {}])],
  ['POST', /^\/stations\/([^/]+)\/calls\/([^/]+)$/, ([id, action], body) => order(id, action, body)],
  ['PUT', /^\/tokens\/([^/]+)$/, ([token], { tariff, transactionLimit, ...body }) => {
    tokens.set(token.toUpperCase(), body);
    return [200, body];
  }],
];

const api = http.createServer(async (request, response) => {
  const end = (status, document) => {
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(document));
  };
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const route = routes.find(([method, pattern]) => method === request.method && pattern.test(request.url));
  if (!route) return end(404, { problem: 'no such resource' });
  try {
    const names = request.url.match(route[1]).slice(1).map(decodeURIComponent);
    return end(...(await route[2](names, chunks.length ? JSON.parse(Buffer.concat(chunks)) : {})));
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
