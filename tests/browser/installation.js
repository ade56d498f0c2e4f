// A running Docket: the demonstration, with its invented people, cases and simulated Vonage, or a new installation without any of them.
import { spawn } from "node:child_process";
import { createHash, createHmac, randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

const START_TIMEOUT_MS = 90_000;
const STOP_TIMEOUT_MS = 30_000;

export const PASSWORD = "docket-demo-1";
export const HELP_DESK = "447700900000";

export class Installation {
  /// Starts one; `name` is what its output is kept under in artefacts/.
  static async start(name) {
    const log = createWriteStream(path.join("artefacts", `${name}.log`));
    const child = spawn(process.env.DOCKET_BINARY, ["demo"], {
      cwd: tmpdir(),
      env: { PATH: process.env.PATH, HOME: process.env.HOME, DOCKET_LISTEN: `127.0.0.1:${await freePort()}`, DOCKET_METRICS_LISTEN: "off", RUST_LOG: "info" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    const greeting = new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the demonstration did not greet:\n${said}`)), START_TIMEOUT_MS);
      const hear = (chunk) => {
        log.write(chunk);
        said += chunk;
        const found = /The phone\s+(\S+)[^]*The console\s+(\S+)[^]*Your token\s+(\S+)[^]*nothing is kept/.exec(said);
        if (found) { clearTimeout(timer); resolve(found); }
      };
      child.stdout.on("data", hear);
      child.stderr.on("data", hear);
      child.once("exit", (code) => { clearTimeout(timer); reject(new Error(`the demonstration ended with ${code}:\n${said}`)); });
    });
    const [, phone, url, token] = await greeting;
    child.stdout.removeAllListeners("data").on("data", (chunk) => log.write(chunk));
    child.stderr.removeAllListeners("data").on("data", (chunk) => log.write(chunk));
    child.removeAllListeners("exit");
    return new Installation(child, url, phone, token);
  }

  constructor(child, url, phone, token) {
    Object.assign(this, { child, url, phone, token });
  }

  async stop() { await stop(this.child); }

  /// Says `text` as a customer; gives the message's id at the simulated Vonage.
  async text(from, text, { to = HELP_DESK, channel = "sms", kind = "text", quoted } = {}) {
    const answer = await fetch(`${this.phone}/simulator/inbound`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ from, to, channel, text, kind, quoted }),
    });
    const body = await answer.json();
    if (body.status !== 200) throw new Error(`Docket answered the text with ${body.status}`);
    return body.message_uuid;
  }

  /// What the customer's phone shows as sent to it, oldest first.
  async received(number) {
    const answer = await fetch(`${this.phone}/simulator/messages?number=${number}`);
    const { messages } = await answer.json();
    return messages.filter((message) => !message.is_mine).map((message) => message.text);
  }

  /// The answer of `GET /api/v1{path}` to the owner.
  async api(path) {
    const answer = await fetch(`${this.url}/api/v1${path}`, { headers: { authorization: `Bearer ${this.token}` } });
    if (!answer.ok) throw new Error(`GET ${path} was answered ${answer.status}`);
    return answer.json();
  }

  /// The references of the number's cases in that state, oldest first: a later case may have a lower reference.
  async casesOf(number, state = "open") {
    const { items } = await this.api(`/cases?state=${state}&number=${number}&limit=200`);
    return items.sort((a, b) => new Date(a.opened_at) - new Date(b.opened_at)).map((item) => item.reference);
  }
}

/// A new installation: one owner, no survey, no line, and an account at Vonage of which Docket knows nothing yet.
export class NewInstallation {
  static async start(name) {
    const log = createWriteStream(path.join("artefacts", `${name}.log`));
    const folder = await mkdtemp(path.join(tmpdir(), "docket-browser-"));
    // Where we are root, Postgres is not, and has to pass through.
    await chmod(folder, 0o711);
    const vonage = await Vonage.start();
    const listen = `127.0.0.1:${await freePort()}`;
    const child = spawn(process.env.DOCKET_BINARY, ["serve"], {
      cwd: folder,
      env: {
        PATH: process.env.PATH, HOME: process.env.HOME, RUST_LOG: "info", DOCKET_LISTEN: listen, DOCKET_METRICS_LISTEN: "off", DOCKET_DATA_DIR: path.join(folder, "data"),
        DOCKET_VONAGE_API_URL: vonage.url, DOCKET_OWNER_EMAIL: "owner@example.com", DOCKET_OWNER_PASSWORD: PASSWORD,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => log.write(chunk));
    const installation = Object.assign(new NewInstallation(), { child, folder, vonage, url: `http://${listen}` });
    const isReady = async () => {
      if (child.exitCode !== null) throw new Error(`docket serve ended with ${child.exitCode}; artefacts/${name}.log says why`);
      return (await fetch(`${installation.url}/readyz`).catch(() => null))?.ok;
    };
    await until("docket serve", isReady, START_TIMEOUT_MS);
    return installation;
  }

  async stop() {
    await stop(this.child);
    await this.vonage.stop();
    await rm(this.folder, { recursive: true });
  }

  /// Posts a message as Vonage does, signed with the account's secret; gives the status of the answer.
  async inbound(secret, { from, to, text, applicationId }) {
    const body = JSON.stringify({
      channel: "sms", message_uuid: randomUUID(), to, from, timestamp: new Date().toISOString(), text, sms: { num_messages: "1" },
    });
    const claims = {
      iat: Math.floor(Date.now() / 1000), jti: randomUUID(), iss: "Vonage", api_key: "abcd1234", application_id: applicationId,
      payload_hash: createHash("sha256").update(body).digest("hex"),
    };
    const encode = (part) => Buffer.from(JSON.stringify(part)).toString("base64url");
    const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
    const token = `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const answer = await fetch(`${this.url}/webhooks/vonage/inbound`, { method: "POST", headers, body });
    return answer.status;
  }
}

/// Vonage's Messages API, as far as Docket calls it: takes messages, and refuses what is none. `calls` are what came, with the token.
class Vonage {
  static async start() {
    const vonage = new Vonage();
    vonage.calls = [];
    vonage.server = createHttpServer((request, response) => {
      const chunks = [];
      request.on("data", (chunk) => chunks.push(chunk));
      request.on("end", () => {
        const body = JSON.parse(Buffer.concat(chunks).toString() || "{}");
        const isMessage = Boolean(body.from && body.to);
        vonage.calls.push({ path: request.url, token: request.headers.authorization?.replace(/^Bearer /, ""), body });
        response.writeHead(isMessage ? 202 : 422, { "content-type": isMessage ? "application/json" : "application/problem+json" });
        response.end(JSON.stringify(isMessage ? { message_uuid: randomUUID() } : { title: "Invalid params", detail: "The value of one or more parameters is invalid." }));
      });
    });
    await new Promise((resolve) => vonage.server.listen(0, "127.0.0.1", resolve));
    vonage.url = `http://127.0.0.1:${vonage.server.address().port}`;
    return vonage;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

async function stop(child) {
  if (child.exitCode !== null) throw new Error(`Docket had ended with ${child.exitCode}`);
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
  const code = await ended;
  clearTimeout(timer);
  if (code !== 0) throw new Error(`Docket ended with ${code}`);
}

/// Waits until `ask` gives something that is true, and gives it.
export async function until(what, ask, timeoutMs = 15_000) {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const found = await ask();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
