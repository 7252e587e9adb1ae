// In place of node:v8, of which Koa only asks whether a snapshot is being built.

exports.startupSnapshot = undefined;
