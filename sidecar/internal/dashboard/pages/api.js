// The sidecar's API. Failures are Refusals, with the code of the envelope.

export class Refusal extends Error {
  constructor(status, error) {
    super(error.message || `the sidecar answered ${status}`);
    this.status = status;
    this.error = error;
  }
}

/** Sends a request; the answer is a Response, or a Refusal is thrown. */
export async function send(method, path, body, signal) {
  const response = await fetch(path, {
    method, signal, headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (response.ok) return response;
  let error = {};
  try {
    error = (await response.json()).error || {};
  } catch { /* not an envelope */ }
  throw new Refusal(response.status, error);
}

export const get = async (path) => (await send('GET', path)).json();

export const slotPath = (id, rest = '') => `/api/slots/${encodeURIComponent(id)}${rest}`;
