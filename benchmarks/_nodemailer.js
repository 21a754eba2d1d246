// What nodemailer does with its own pool and DKIM: node _nodemailer.js PORT COUNT KEYFILE [tls] (run where nodemailer is installed)
const nodemailer = require(process.cwd() + "/node_modules/nodemailer");
const [port, count, keyFile, tls] = process.argv.slice(2);
const transport = nodemailer.createTransport({
  host: tls ? "localhost" : "127.0.0.1", port: Number(port), pool: true, maxConnections: 20, maxMessages: Infinity, secure: false,
  ignoreTLS: !tls, requireTLS: Boolean(tls),
  dkim: { domainName: "city.example", keySelector: "s1", privateKey: require("fs").readFileSync(keyFile, "utf8") },
});
const paragraph = "<p>Crews will sweep the streets on the second and fourth Monday of the month between eight and noon. ".repeat(24);
const links = Array.from({ length: 10 }, (_, n) => `<a href="https://track.city.example/c/token/${n}">street ${n}</a>`).join("\n");
let sent = 0, begun = 0;
function next() {
  while (begun < count && transport.isIdle()) {
    const n = begun++;
    transport.sendMail({
      from: "Public Works <works@city.example>", to: `Resident ${n} <resident${n}@mail.example>`, subject: `Street sweeping, resident ${n}`,
      text: `Hello ${n}\n` + "Crews will sweep the streets. ".repeat(75), html: (`<html><body>Hello ${n}` + paragraph + links + "</body></html>").repeat(9).slice(0, 24000),
      headers: { "List-Unsubscribe": `<https://track.city.example/u/token${n}>`, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click" },
    }, (error) => { if (error) throw error; if (++sent == count) { transport.close(); } else next(); });
  }
}
transport.on("idle", next);
next();
