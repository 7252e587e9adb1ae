// Bundles an app and its packages into one file for wasmrun's OS mode, whose VM gets no node_modules:
// `node bundle.js [server.js]`. Not into dist or a folder in .gitignore, because wasmrun leaves those out, too.

const { join } = require('node:path');
const { build } = require('esbuild');

const replacement = name => join(__dirname, 'vm', name);

build({
  entryPoints: [process.argv[2] || 'server.js'],
  outfile: 'bundle/server.js',
  bundle: true,
  platform: 'node',
  target: 'es2020',
  inject: [replacement('setup.js')],
  // Modules that wasmhub's runtime 0.6.0 does not have, or that need V8.
  alias: {
    depd: replacement('depd.js'),
    diagnostics_channel: replacement('diagnostics-channel.js'),
    'node:diagnostics_channel': replacement('diagnostics-channel.js'),
    http2: replacement('http2.js'),
    'node:http2': replacement('http2.js'),
    stream: replacement('stream.js'),
    v8: replacement('v8.js'),
    'node:v8': replacement('v8.js'),
  },
}).catch(() => process.exit(1));
