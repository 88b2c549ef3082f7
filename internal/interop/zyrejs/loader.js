'use strict';

// zyre.js 1.3.0 asks for zeromq 5, whose native part no longer builds on current
// Node releases. zeromq 6 ships prebuilt binaries and speaks the version 5 API under
// zeromq/v5-compat, so every require('zeromq') made by zyre.js is sent there.

const Module = require('module');
const path = require('path');

const zyreDir = path.dirname(require.resolve('zyre.js/package.json')) + path.sep;
const resolve = Module._resolveFilename;

Module._resolveFilename = function resolveFilename(request, parent, ...rest) {
  const fromZyre = parent && parent.filename && parent.filename.startsWith(zyreDir);
  const name = request === 'zeromq' && fromZyre ? 'zeromq/v5-compat' : request;
  return resolve.call(this, name, parent, ...rest);
};

// zeromq 6.8.0 waits for room on a socket by events, and can lose one: after a delayed
// send it asks libzmq for messages, which takes note of room, too, and leaves a send
// that has begun meanwhile waiting for ever. So none has to: it begins when there is
// room. zyre.js sends on dealers only.
const { Dealer, Router } = require('zeromq');
const { send } = Dealer.prototype;

Object.defineProperty(Dealer.prototype, 'send', {
  async value(...args) {
    while (!this.closed && !this.writable) {
      await new Promise((resolve) => { setTimeout(resolve, 1); }); // eslint-disable-line no-await-in-loop
    }
    return send.apply(this, args);
  },
});

// zeromq 6.8.0 unbinds on another thread, while its own looks at the same socket whenever
// a peer comes or goes: libzmq aborts the process now and then. zyre.js closes a socket
// right after it is unbound, which unbinds it as well. (unbindSync binds.)
Object.defineProperty(Router.prototype, 'unbind', { async value() {} });
