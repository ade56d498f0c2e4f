// A running Docket: the demonstration, with its invented people, cases and simulated Vonage.
import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { tmpdir } from "node:os";
import { createServer } from "node:net";
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
      env: { PATH: process.env.PATH, HOME: process.env.HOME, DOCKET_LISTEN: `127.0.0.1:${await freePort()}`, RUST_LOG: "info" },
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

  async stop() {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGTERM");
    const timer = setTimeout(() => this.child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    const code = await ended;
    clearTimeout(timer);
    if (code !== 0) throw new Error(`the demonstration ended with ${code}`);
  }

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

  /// The references of the number's cases in that state, oldest first.
  async casesOf(number, state = "open") {
    const { items } = await this.api(`/cases?state=${state}&number=${number}&limit=200`);
    return items.map((item) => item.reference).sort((a, b) => a - b);
  }
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
