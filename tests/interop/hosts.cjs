// What a hosts file does, and a rule that leads port 443 elsewhere: node --require hosts.cjs, with PORT_OF_HTTPS.
const net = require("node:net");

const connect = net.Socket.prototype.connect;

net.Socket.prototype.connect = function (...args) {
  const [options] = Array.isArray(args[0]) ? args[0] : args;
  if (Number(options?.port) === 443) {
    options.port = Number(process.env.PORT_OF_HTTPS);
    options.lookup = (_host, asked, answer) =>
      asked.all ? answer(null, [{ address: "127.0.0.1", family: 4 }]) : answer(null, "127.0.0.1", 4);
  }
  return connect.apply(this, args);
};
