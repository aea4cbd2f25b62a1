// Stations of k6 that speak OCPP 2.0.1: they connect, wait for the common start, and keep one CALL open each. Without
// SECONDS they only stay connected. `benchmarks/engines/k6.py` runs it.
import { Counter } from 'k6/metrics';

const { URL, ACTION, PAYLOAD } = __ENV;
const [stations, start, seconds] = [__ENV.STATIONS, __ENV.START, __ENV.SECONDS].map(Number);
const until = (start + seconds) * 1000;
const answered = new Counter('answered');
const unanswered = new Counter('unanswered');

function webSocket() {
  // Versions before 1.4 have it in another place.
  try {
    return require('k6/websockets').WebSocket;
  } catch {
    return require('k6/experimental/websockets').WebSocket;
  }
}
const WebSocket = webSocket();

export const options = {
  scenarios: { stations: { executor: 'per-vu-iterations', vus: stations, iterations: 1, maxDuration: '1h' } },
};

export default function () {
  const socket = new WebSocket(`${URL}/B${String(__VU).padStart(6, '0')}`, 'ocpp2.0.1');
  if (!seconds) {
    return;
  }
  let [open, good, bad] = ['', 0, 0];
  const call = () => {
    open = `${__VU}-${good + bad}`;
    socket.send(`[2,"${open}","${ACTION}",${PAYLOAD}]`);
  };
  socket.onopen = () => setTimeout(call, Math.max(start * 1000 - Date.now(), 0));
  socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (message[0] === 3 && message[1] === open) {
      good += 1;
    } else {
      bad += 1;
    }
    if (Date.now() < until) {
      call();
    } else {
      socket.close();
    }
  };
  socket.onclose = () => {
    answered.add(good);
    unanswered.add(bad);
  };
}

export function handleSummary({ metrics }) {
  const count = (name) => (name in metrics ? metrics[name].values.count : 0);
  return { stdout: `${JSON.stringify({ calls: count('answered'), errors: count('unanswered') })}\n` };
}
