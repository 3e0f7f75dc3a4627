// The tables of flights and of finished requests.
import { clock, ms, span, ticking } from './format.js';

const kept = 100;

function cells(row, values) {
  row.replaceChildren(...values.map(([text, kind]) => {
    const td = document.createElement('td');
    td.textContent = text;
    if (kind) td.className = kind;
    return td;
  }));
  return row;
}

const endpoint = (path) => path.replace(/^\/v1\//, '');

export class Flights {
  constructor(table, none, counter) {
    Object.assign(this, { table, none, counter, before: new Map() });
  }

  show({ at, total, flights }) {
    const now = new Date(at);
    const seen = new Map();
    const rows = flights.map((f) => {
      const key = `${f.slot} ${f.since}`;
      const last = this.before.get(key);
      const took = last ? (now - last.at) / 1000 : (now - new Date(f.since)) / 1000;
      const rate = took > 0 ? (f.events - (last?.events || 0)) / took : 0;
      seen.set(key, { at: now, events: f.events });
      const stage = f.dispatched ? (f.events ? 'streaming' : 'reading the prompt') : 'waiting';
      return cells(document.createElement('tr'), [
        [f.slot], [endpoint(f.endpoint)], [ticking(now - new Date(f.since))], [String(f.readers), 'num'], [String(f.events), 'num'],
        [rate ? rate.toFixed(rate < 10 ? 1 : 0) : '–', 'num'], [stage + (f.joinable ? ', may be joined' : '')],
      ]);
    });
    this.before = seen;
    this.table.tBodies[0].replaceChildren(...rows);
    this.table.hidden = !rows.length;
    this.none.hidden = rows.length > 0;
    this.counter.textContent = total ? String(total) : '';
  }
}

export class Requests {
  constructor(table, none) {
    Object.assign(this, { table, none, ids: new Set() });
  }

  clear() {
    this.table.tBodies[0].replaceChildren();
  }

  add(a) {
    const row = cells(document.createElement('tr'), [
      [clock(new Date(a.at))], [a.slot || '–'], [a.outcome + (a.cold ? ', cold' : ''), a.outcome], [a.code || ''],
      [a.wait_ns ? span(ms(a.wait_ns)) : '–', 'num'], [a.ttft_ns ? span(ms(a.ttft_ns)) : '–', 'num'], [a.took_ns ? span(ms(a.took_ns)) : '–', 'num'],
      [String(a.events), 'num'], [a.flight || '–'], [[a.scope, a.client].filter(Boolean).join(' ')],
    ]);
    row.title = a.id;
    const body = this.table.tBodies[0];
    body.prepend(row);
    while (body.rows.length > kept) body.lastElementChild.remove();
    this.table.hidden = false;
    this.none.hidden = true;
  }
}
