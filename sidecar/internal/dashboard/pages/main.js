// Puts the page together: who may look, the stream of events, the parts.
import { get, send } from './api.js';
import { Chat } from './chat.js';
import { showDevices } from './devices.js';
import { Feed } from './feed.js';
import { Logs } from './logs.js';
import { Slots } from './slots.js';
import { Flights, Requests } from './tables.js';

const by = (id) => document.getElementById(id);
const devicesEvery = 10_000; // ms, while the page is seen

let ahead = 0; // of the server's clock, in ms
const now = () => new Date(Date.now() + ahead);
const announce = (text) => { by('announce').textContent = text; };

for (const dialog of document.querySelectorAll('dialog')) {
  dialog.querySelector('[data-close]').addEventListener('click', () => dialog.close());
}

const logs = new Logs(by('logs'));
const chat = new Chat(by('chat'));
const slots = new Slots(by('slots'), by('slot-card'), { chat: (id) => chat.open(id), logs: (id) => logs.open(id), now, announce });
const flights = new Flights(by('flights'), by('no-flights'), by('flights-count'));
const requests = new Requests(by('requests'), by('no-requests'));

const feed = new Feed('/api/events', {
  hello(h) {
    ahead = new Date(h.now) - Date.now();
    by('version').textContent = h.version;
    slots.set(h.slots);
    requests.clear();
    flights.show({ at: h.now, total: 0, flights: [] });
    changed();
  },
  slot(s) { slots.put(s); changed(); },
  request(a) { requests.add(a); },
  flights(list) { flights.show(list); },
}, (state) => {
  by('link').className = `link ${state}`;
  by('link-text').textContent = { live: 'Live', lost: 'Connection lost, trying again…', shut: 'Signed out' }[state];
  if (state === 'shut') enter();
});

let states = '';
let soon = 0;
function changed() {
  by('no-slots').hidden = slots.size > 0;
  if (slots.memory() === states) return;
  states = slots.memory();
  clearTimeout(soon);
  soon = setTimeout(devices, 400);
}

async function devices() {
  if (document.hidden || by('board').hidden) return;
  try {
    showDevices(by('devices'), await get('/api/devices'));
  } catch { /* the stream of events says that the sidecar is away */ }
}
setInterval(devices, devicesEvery);

function show(open, local) {
  by('login').hidden = open;
  by('board').hidden = !open;
  by('sign-out').hidden = !open || local;
}

async function enter() {
  let session;
  try {
    session = await get('/api/session');
  } catch {
    by('link-text').textContent = 'hal0 does not answer, trying again…';
    setTimeout(enter, 2000);
    return;
  }
  show(session.open, session.local);
  if (session.open) {
    feed.start();
    devices();
  } else {
    feed.stop();
    by('link-text').textContent = 'Signed out';
    by('password').focus();
  }
}

by('login-form').addEventListener('submit', async (e) => {
  e.preventDefault();
  by('login-error').textContent = '';
  try {
    await send('POST', '/api/session', { password: by('password').value });
    by('password').value = '';
    await enter();
    by('main').focus();
  } catch (error) {
    by('login-error').textContent = error.message;
    by('password').select();
  }
});

by('sign-out').addEventListener('click', async () => {
  await send('DELETE', '/api/session');
  enter();
});

enter();
