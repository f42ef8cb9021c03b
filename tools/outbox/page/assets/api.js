// Talking to the server: the token, calls, and the stream of what happens.

const key = "outbox-token";
const prefix = "/api/v1";

/** The token leaves the address at once: it is in no history and in no screenshot. */
export function takeToken() {
  const match = /^#t=([0-9a-f]{32})$/.exec(location.hash);
  if (!match) return false;
  sessionStorage.setItem(key, match[1]);
  history.replaceState(history.state, "", location.pathname + location.search);
  return true;
}

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `HTTP ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

async function call(path, options = {}) {
  const headers = { ...options.headers, Authorization: `Bearer ${sessionStorage.getItem(key) || ""}` };
  let response;
  try {
    response = await fetch(prefix + path, { ...options, headers, cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, { detail: "outbox serve does not answer: has it been stopped?" });
  }
  if (response.ok) return response;
  throw new Refused(response.status, await response.json().catch(() => ({})));
}

export async function get(path, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value);
  const query = given.length > 0 ? `?${new URLSearchParams(given)}` : "";
  return (await call(path + query)).json();
}

export async function post(path, body = {}) {
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  return (await call(path, options)).json();
}

/** Calls `tell(name, data)` for each event of the stream, until it ends or `signal` says so. */
export async function listen(signal, tell) {
  const response = await call("/stream", { signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const name = /^event: (.*)$/m.exec(part);
      const data = /^data: (.*)$/m.exec(part);
      if (name && data) tell(name[1], JSON.parse(data[1]));
    }
  }
}
