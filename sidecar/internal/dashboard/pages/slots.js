// The cards of the slots.
import { send, slotPath } from './api.js';
import { count, ms, size, span, ticking } from './format.js';

const kinds = {
  offline: 'off', pulling: 'coming', starting: 'coming', warming: 'coming', ready: 'up', idle: 'up', serving: 'busy',
  unloading: 'going', error: 'error',
};
const phases = {
  'starting/memory': 'waiting for memory', 'unloading/drain': 'unloading, streams finish', 'unloading/release': 'unloading, memory is freed',
  'error/backoff': 'error, tried again soon', 'error/stuck': 'error, cannot be ended',
};

export class Slots {
  /** open: what the buttons Chat and Log call; now: the server's clock. */
  constructor(list, template, { chat, logs, now, announce }) {
    Object.assign(this, { list, template, chat, logs, now, announce });
    this.cards = new Map();
    setInterval(() => this.#tick(), 500);
  }

  /** All slots there are. */
  set(slots) {
    for (const id of this.cards.keys()) {
      if (!slots.some((s) => s.id === id)) this.#remove(id);
    }
    slots.forEach((s) => this.put(s));
  }

  put(slot) {
    if (slot.removed) return this.#remove(slot.id);
    let card = this.cards.get(slot.id);
    if (!card) {
      card = this.#make(slot.id);
      this.cards.set(slot.id, card);
      const after = [...this.cards.keys()].sort().find((id) => id > slot.id);
      this.list.insertBefore(card.root, after && this.cards.has(after) ? this.cards.get(after).root : null);
    }
    const was = card.slot?.state;
    card.slot = slot;
    this.#show(card);
    if (was && was !== slot.state && ['ready', 'error', 'offline'].includes(slot.state)) this.announce(`${slot.id} is ${slot.state}`);
  }

  get size() { return this.cards.size; }
  memory() { return [...this.cards.values()].map((c) => c.slot.state).join(); }

  #remove(id) {
    this.cards.get(id)?.root.remove();
    this.cards.delete(id);
  }

  #make(id) {
    const root = this.template.content.firstElementChild.cloneNode(true);
    const part = (name) => root.querySelector(`[data-${name}]`);
    const card = { root, part, busy: false };
    part('id').textContent = id;
    for (const button of root.querySelectorAll('[data-do]')) {
      const what = button.dataset.do;
      button.setAttribute('aria-label', `${button.textContent} ${id}`);
      button.addEventListener('click', () => {
        if (what === 'chat') return this.chat(id);
        if (what === 'logs') return this.logs(id);
        return this.#move(card, what);
      });
    }
    return card;
  }

  async #move(card, what) {
    const { id } = card.slot;
    card.busy = true;
    card.failure = '';
    this.#show(card);
    this.announce(`${what} ${id}`);
    try {
      await send('POST', slotPath(id, `/${what}`));
    } catch (e) {
      card.failure = e.message;
      this.announce(e.message);
    }
    card.busy = false;
    this.#show(card);
  }

  #show(card) {
    const { slot: s, part } = card;
    const label = phases[`${s.state}/${s.phase || ''}`] || s.state;
    part('state').textContent = label;
    part('state').className = `state ${kinds[s.state] || ''}`;
    part('model').textContent = [s.model || (s.engine === 'demo' ? 'no model: the built-in demo' : ''), s.engine].filter(Boolean).join(' · ');
    this.#fault(card);
    const facts = [];
    const fact = (name, value) => value && facts.push([name, value]);
    fact('Working', s.pid ? `${s.leases} of ${s.parallel}` : '');
    fact('Waiting', s.waiting ? count(s.waiting, 'request') : '');
    fact('Memory', (s.memory || []).map((m) => `${size(m.bytes)} on ${m.device}`).join(', '));
    fact('Pinned', pinOf(s));
    fact('Device', s.device === 'auto' ? '' : s.device);
    fact('Context', s.context ? `${s.context} tokens` : '');
    fact('Also called', (s.aliases || []).join(', '));
    fact('Process', s.pid ? String(s.pid) : '');
    part('facts').replaceChildren(...facts.flatMap(([name, value]) => {
      const [dt, dd] = [document.createElement('dt'), document.createElement('dd')];
      [dt.textContent, dd.textContent] = [name, value];
      return [dt, dd];
    }), ...this.#since(card));
    this.#buttons(card);
    this.#progress(card);
  }

  #since(card) {
    const [dt, dd] = [document.createElement('dt'), document.createElement('dd')];
    dt.textContent = 'Since';
    card.since = dd;
    this.#age(card);
    return [dt, dd];
  }

  #age(card) {
    const { slot: s } = card;
    const away = s.unload_at ? `, unloads in ${ticking(new Date(s.unload_at) - this.now())}` : '';
    card.since.textContent = ticking(this.now() - new Date(s.since)) + (s.state === 'idle' || s.state === 'ready' ? away : '');
  }

  #fault(card) {
    const { slot: s, part } = card;
    let text = card.failure || '';
    if (s.error && (s.state === 'error' || !text)) {
      text = `${s.error.message} (${s.error.code}${s.error.exit?.class ? `, ${s.error.exit.class}` : ''})`;
      if (s.failures > 1) text += ` — ${s.failures} times in a row`;
    }
    const over = s.state === 'offline' && !s.failures; // it has worked since
    if ((over || !['error', 'offline'].includes(s.state)) && !card.failure) text = '';
    else if (s.state === 'offline' && text && !card.failure) text = `Last time: ${text}`;
    part('error').textContent = text;
    part('error').hidden = !text;
  }

  #buttons(card) {
    const { slot: s, root } = card;
    const down = ['offline', 'error'].includes(s.state);
    const gone = {
      load: !down, unload: down, restart: down || s.state === 'unloading', pin: s.pin, unpin: !s.pin,
      chat: Boolean(s.capabilities?.length) && !s.capabilities.includes('chat'), logs: false,
    };
    const focused = root.contains(document.activeElement) && document.activeElement;
    for (const button of root.querySelectorAll('[data-do]')) {
      button.hidden = gone[button.dataset.do];
      button.disabled = button.dataset.do === 'load' && card.busy;
    }
    if (focused && (focused.hidden || focused.disabled)) root.querySelector('[data-do]:not([hidden]):not(:disabled)').focus();
  }

  #progress(card) {
    const { slot: s, part } = card;
    const p = progressOf(s, this.now());
    part('progress').hidden = !p;
    if (!p) return;
    const bar = part('bar');
    bar.setAttribute('aria-label', `${s.state} ${s.id}`);
    if (p.part === null) bar.removeAttribute('value');
    else bar.value = p.part;
    part('eta').textContent = p.text;
  }

  #tick() {
    for (const card of this.cards.values()) {
      this.#age(card);
      this.#progress(card);
    }
  }
}

/** What is said of a slot's pin; "" = nothing. */
const pinOf = (s) => (s.pin_by_hand ? (s.pin ? 'by hand' : 'no, by hand') : (s.pin ? 'as declared' : ''));

/** How far a slot is on its way up: part is null where nobody knows. */
export function progressOf(s, now) {
  if (s.state === 'pulling' && s.pull) {
    const { done_bytes: done = 0, total_bytes: total = 0, start_bytes: start = 0 } = s.pull;
    const took = now - new Date(s.since);
    const left = done > start && total ? (took / (done - start)) * (total - done) : 0;
    return {
      part: total ? done / total : null,
      text: `${size(done)}${total ? ` of ${size(total)}` : ''}${left ? `, ${ticking(left)} left` : ''}`,
    };
  }
  if (!s.boot || !['starting', 'warming'].includes(s.state)) return null;
  const took = now - new Date(s.boot.began);
  if (!s.boot.eta_ns) return { part: null, text: `${ticking(took)}, first time: no estimate yet` };
  const eta = ms(s.boot.eta_ns);
  const left = eta - took;
  return { part: Math.min(took / eta, 0.98), text: left > 0 ? `${ticking(left)} left of about ${span(eta)}` : `${ticking(took)}, longer than the usual ${span(eta)}` };
}
