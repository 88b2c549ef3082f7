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
