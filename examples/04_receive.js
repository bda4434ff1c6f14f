// Prints the place of everybody's head from a WebSocket: node examples/04_receive.js [ws://127.0.0.1:5556]
// Runs in Node 22 or newer (20: node --experimental-websocket), or in a page from localhost, without a package.
// Start `python run_live.py --cam 0 --stream ws://127.0.0.1:5556` beside it. The messages: docs/wire-format.md

const url = globalThis.process?.argv[2] ?? "ws://127.0.0.1:5556";
let skeleton = null;
let shownAt = 0;

function rotate([x, y, z, w], [a, b, c]) { // v + 2 u x (u x v + w v)
  const [i, j, k] = [y * c - z * b + w * a, z * a - x * c + w * b, x * b - y * a + w * c];
  return [a + 2 * (y * k - z * j), b + 2 * (z * i - x * k), c + 2 * (x * j - y * i)];
}

function multiply([a, b, c, d], [x, y, z, w]) {
  return [d * x + a * w + b * z - c * y, d * y - a * z + b * w + c * x,
    d * z + a * y - b * x + c * w, d * w - a * x - b * y - c * z];
}

function joints(person) { // 24 positions in the world, metres: the parent's position plus the offset in the parent's rotation
  const away = person.betas.map((beta, i) => beta - skeleton.betas[i]);
  const turns = [], places = [];
  skeleton.parents.forEach((parent, j) => {
    const offset = skeleton.offsets[j].map((o, axis) => (person.scale ?? 1) *
      skeleton.shape_offsets[j][axis].reduce((sum, s, i) => sum + s * away[i], o));
    const turned = parent < 0 ? null : rotate(turns[parent], offset);
    places.push(turned ? places[parent].map((p, axis) => p + turned[axis]) : person.trans);
    turns.push(turned ? multiply(turns[parent], person.rotations[j]) : person.rotations[j]);
  });
  return places;
}

const socket = new WebSocket(url);
socket.onmessage = ({ data }) => {
  const space = data.indexOf(" ");
  const topic = data.slice(0, space), message = JSON.parse(data.slice(space + 1));
  if (message.v !== 1) throw new Error(`this program knows version 1 of the messages, not ${message.v}: update it`);
  if (topic === "skeleton") skeleton = message;
  if (topic === "status") console.log(`${message.state} ${message.message}`);
  if (topic !== "pose" || !skeleton || message.t_publish - shownAt < 0.1) return;
  shownAt = message.t_publish;
  for (const person of message.people) {
    const head = joints(person)[skeleton.names.indexOf("head")];
    console.log(`person ${person.id}: head at ${head.map((metres) => metres.toFixed(4)).join(" ")} m`);
  }
};
socket.onclose = () => console.log("closed");
socket.onerror = (event) => console.log(`cannot reach ${url}`, event.message ?? "");
