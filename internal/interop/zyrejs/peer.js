'use strict';

// A zyre.js node driven by a test: JSON lines in are commands, JSON lines out are
// events. Message contents are base64 both ways, so any bytes survive.
//
//   node peer.js --name N --bport P [--iface lo] [--headers '{"K":"V"}']
//                [--port 49152] [--interval 1000] [--evasive 5000] [--expired 30000]
//
// Commands: {"cmd": …, "seq": n, …}; each is answered by an event "done" that carries
// the same seq, or by "error" with a text. Durations are milliseconds.
//   join, leave                group
//   shout                      group, message
//   whisper                    id, message
//   whispers                   id, message, count: the message with " i" appended,
//                              i from 0; waits while the peer's queue is long
//   peers, groups              answered with "value"
//   stop                       says goodbye, then the process ends
// End of input, SIGTERM and SIGINT stop the node too.

require('./loader');
const readline = require('readline');
const { parseArgs } = require('util');
const Zyre = require('zyre.js');

const MAX_QUEUED = 1000; // messages in one peer's queue before a flood waits

const text = { type: 'string' };
const { values: args } = parseArgs({
  options: {
    name: text, bport: text, headers: text, iface: text, port: text, interval: text, evasive: text, expired: text,
  },
});

function emit(event, fields) {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
}

// zyre.js broadcasts on the first real interface when it is given none: never here.
const zyre = Zyre.new({
  name: args.name,
  iface: args.iface || 'lo',
  bport: Number(args.bport || 5670),
  port: Number(args.port || 49152),
  binterval: Number(args.interval || 1000),
  evasive: Number(args.evasive || 5000),
  expired: Number(args.expired || 30000),
  headers: args.headers ? JSON.parse(args.headers) : {},
});
zyre.setEncoding('raw');

const base64 = (message) => (message ? message.toString('base64') : '');

zyre.on('connect', (id, name, headers) => emit('connect', { id, name, headers }));
zyre.on('disconnect', (id, name) => emit('disconnect', { id, name }));
zyre.on('expired', (id, name) => emit('expired', { id, name }));
zyre.on('join', (id, name, group) => emit('join', { id, name, group }));
zyre.on('leave', (id, name, group) => emit('leave', { id, name, group }));
zyre.on('whisper', (id, name, message) => emit('whisper', { id, name, message: base64(message) }));
zyre.on('shout', (id, name, message, group) => emit('shout', {
  id, name, group, message: base64(message),
}));

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// queued is the longest queue among zyre.js's sockets to its peers: version 5 of
// zeromq, and so zyre.js, queues without limit.
function queued() {
  const peers = Object.values(zyre._zyrePeers._peers);
  return Math.max(0, ...peers.map((p) => (p._socket ? p._socket._sendQueue.length : 0)));
}

async function flood(count, message, send) {
  for (let i = 0; i < count; i += 1) {
    send(Buffer.concat([message, Buffer.from(` ${i}`)]));
    while (queued() >= MAX_QUEUED) await sleep(1); // eslint-disable-line no-await-in-loop
  }
}

let stopping;
function stop() {
  if (!stopping) stopping = zyre.stop();
  return stopping;
}

async function run(c) {
  const message = Buffer.from(c.message || '', 'base64');
  if (c.cmd.startsWith('whisper') && !zyre.getPeer(c.id)) throw new Error(`unknown peer ${c.id}`);
  switch (c.cmd) {
    case 'join': return zyre.join(c.group);
    case 'leave': return zyre.leave(c.group);
    case 'shout': return zyre.shout(c.group, message);
    case 'whisper': return zyre.whisper(c.id, message);
    case 'whispers': return flood(c.count, message, (m) => zyre.whisper(c.id, m));
    case 'peers': return zyre.getPeers();
    case 'groups': return zyre.getGroups();
    case 'stop': return stop();
    default: throw new Error(`unknown command ${c.cmd}`);
  }
}

async function obey(line) {
  let c = {};
  try {
    c = JSON.parse(line);
    const value = await run(c);
    emit('done', { seq: c.seq, value });
  } catch (err) {
    emit('error', { seq: c.seq, text: err.message });
  }
  if (c.cmd === 'stop') process.stdout.write('', () => process.exit(0));
}

async function main() {
  await zyre.start();
  emit('started', { id: zyre.getIdentity(), name: args.name, endpoint: zyre._zyreNode._endpoint });

  let last = Promise.resolve(); // commands run one after the other
  const input = readline.createInterface({ input: process.stdin });
  input.on('line', (line) => { last = last.then(() => obey(line)); });
  const end = () => stop().then(() => process.exit(0));
  input.on('close', () => last.then(end));
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
}

main().catch((err) => {
  emit('error', { text: err.message });
  process.exit(1);
});
