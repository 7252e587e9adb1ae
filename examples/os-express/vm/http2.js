// In place of node:http2: classes that no request is an instance of.

exports.constants = {};
exports.Http2ServerRequest = class {};
exports.Http2ServerResponse = class {};
