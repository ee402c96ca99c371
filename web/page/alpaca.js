// SPDX-License-Identifier: MIT
// The page as an Alpaca client: everything it does goes through the same PUTs as any other program.

// The ids live as long as the tab: a reload stays the same client to the server.
function remembered(key, make) {
  try {
    const known = sessionStorage.getItem(key);
    if (known !== null) {
      return known;
    }
    const value = make();
    sessionStorage.setItem(key, value);
    return value;
  } catch (e) {
    return make();
  }
}

const random32 = () => String(1 + crypto.getRandomValues(new Uint32Array(1))[0] % 4294967290);
const clientId = remembered('focusd.client', random32);

// Begins at a time, so that a reload never repeats a number that the server would take for a retry.
let transaction = Math.floor(Date.now() / 100) % 2000000000;

export const NOT_CONNECTED = 0x407;

export class AlpacaError extends Error {
  constructor(message, number) {
    super(message);
    this.number = number;
  }
}

// PUT to a member of a device, e.g. put({type: 'focuser', number: 0}, 'move', {Position: 1200}).
// Resolves to the Value; rejects with a sentence for people.
export async function put(device, member, fields = {}, {timeout = 8000, client = clientId} = {}) {
  const body = new URLSearchParams(fields);
  body.set('ClientID', client);
  body.set('ClientTransactionID', String(++transaction));
  let reply;
  try {
    const response = await fetch(`/api/v1/${device.type}/${device.number}/${member}`, {
      method: 'PUT', body, cache: 'no-store', signal: AbortSignal.timeout(timeout),
    });
    const text = await response.text();
    if (!response.ok) {
      throw new AlpacaError(text.trim() || `The server answered ${response.status}.`, -1);
    }
    reply = JSON.parse(text);
  } catch (e) {
    if (e instanceof AlpacaError) {
      throw e;
    }
    throw new AlpacaError('The server does not answer. Is this device in its network?', 0);
  }
  if (reply.ErrorNumber) {
    throw new AlpacaError(reply.ErrorMessage || `Error ${reply.ErrorNumber}.`, reply.ErrorNumber);
  }
  return reply.Value;
}

export async function action(device, name, parameters = '') {
  const value = await put(device, 'action', {
    Action: name,
    Parameters: typeof parameters === 'string' ? parameters : JSON.stringify(parameters),
  });
  return JSON.parse(value);
}

// Halts, whatever else is wrong: tries three times, and as a fresh client where this one has said
// "disconnect" and so has no say any more.  failing(error) is told of each try without an answer that is followed by
// another one.
export async function halt(device, failing) {
  let last;
  for (let i = 0; i < 3; i++) {
    try {
      return await put(device, 'halt', {}, {timeout: 2500, client: i ? random32() : clientId});
    } catch (e) {
      last = e;
      if (e.number > 0 && e.number !== NOT_CONNECTED) {
        break;
      }
      if (i < 2 && e.number <= 0) {
        failing(e);
      }
    }
  }
  throw last;
}
