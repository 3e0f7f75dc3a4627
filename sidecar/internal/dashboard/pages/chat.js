// A small chat, to try a slot: the same way as every client's request.
import { Refusal, send } from './api.js';
import { count, span } from './format.js';
import { events } from './sse.js';

export class Chat {
  constructor(dialog) {
    this.dialog = dialog;
    this.title = dialog.querySelector('h2');
    this.lines = dialog.querySelector('#chat-lines');
    this.form = dialog.querySelector('form');
    this.text = dialog.querySelector('textarea');
    this.sendButton = dialog.querySelector('#chat-send');
    this.stopButton = dialog.querySelector('#chat-stop');
    this.talks = new Map(); // slot → { messages, box }
    this.form.addEventListener('submit', (e) => { e.preventDefault(); this.#send(); });
    this.stopButton.addEventListener('click', () => this.abort?.abort());
    dialog.querySelector('#chat-clear').addEventListener('click', () => this.#clear());
    dialog.addEventListener('close', () => this.abort?.abort());
    this.text.addEventListener('keydown', (e) => {
      if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) { e.preventDefault(); this.#send(); }
    });
  }

  open(slot) {
    this.slot = slot;
    this.talk = this.talks.get(slot) || { messages: [], box: document.createElement('div') };
    this.talk.box.className = 'talk';
    this.talks.set(slot, this.talk);
    this.title.textContent = `Chat with ${slot}`;
    this.lines.replaceChildren(this.talk.box);
    this.lines.scrollTop = this.lines.scrollHeight;
    this.dialog.showModal();
    this.text.focus();
  }

  #clear() {
    this.abort?.abort();
    this.talk.messages = [];
    this.talk.box.replaceChildren();
    this.text.focus();
  }

  #add(kind, text = '') {
    const node = document.createElement('div');
    node.className = kind;
    node.textContent = text;
    this.#append(node);
    return node;
  }

  #append(node) {
    this.talk.box.append(node);
    this.lines.scrollTop = this.lines.scrollHeight;
  }

  async #send() {
    const text = this.text.value.trim();
    if (!text || this.abort) return;
    this.text.value = '';
    this.talk.messages.push({ role: 'user', content: text });
    this.#add('said me', text);
    const talk = this.talk;
    const note = this.#add('footnote', 'Waiting…');
    this.#running(new AbortController());
    const answer = { text: '', node: null, thinking: null, events: 0, began: performance.now(), first: 0 };
    try {
      await this.#stream(talk, answer, note);
    } catch (e) {
      if (e.name === 'AbortError') note.textContent = `Stopped. ${this.#figures(answer)}`;
      else this.#fail(e, note);
    }
    if (answer.text) talk.messages.push({ role: 'assistant', content: answer.text });
    this.#running(null);
  }

  #running(abort) {
    this.abort = abort;
    this.sendButton.hidden = Boolean(abort);
    this.stopButton.hidden = !abort;
    if (!abort && document.activeElement === document.body) this.text.focus(); // Stop had it
  }

  async #stream(talk, answer, note) {
    const response = await send('POST', '/api/v1/chat/completions', { model: this.slot, stream: true, messages: talk.messages }, this.abort.signal);
    if (response.headers.get('X-Hal0-Cold-Start')) note.textContent = 'The model is loading…';
    for await (const data of events(response.body)) {
      if (data === '[DONE]') continue;
      const chunk = JSON.parse(data);
      if (chunk.error) throw new Refusal(200, chunk.error);
      answer.events++;
      const delta = chunk.choices?.[0]?.delta || {};
      this.#say(answer, note, delta.reasoning_content, 'thinking');
      this.#say(answer, note, delta.content, 'node');
    }
    note.textContent = this.#figures(answer);
  }

  #say(answer, note, text, where) {
    if (!answer[where]) text = text?.trimStart(); // models begin with a blank
    if (!text) return;
    if (!answer.first) answer.first = performance.now();
    if (!answer[where]) {
      answer[where] = this.#add(where === 'thinking' ? 'said thinking' : 'said');
      note.parentNode.append(note); // stays below
    }
    const close = this.lines.scrollHeight - this.lines.scrollTop - this.lines.clientHeight < 60;
    answer[where].append(text);
    if (where === 'node') answer.text += text;
    if (close) this.lines.scrollTop = this.lines.scrollHeight;
  }

  #figures(a) {
    if (!a.first) return '';
    const streamed = (performance.now() - a.first) / 1000;
    return `First token after ${span(a.first - a.began)}, ${count(a.events, 'event')}${streamed > 0.05 ? `, ${Math.round(a.events / streamed)} a second` : ''}`;
  }

  /** What a person wants to know of an error's envelope. */
  #fail(e, note) {
    note.textContent = '';
    const box = document.createElement('div');
    box.className = 'envelope';
    box.setAttribute('role', 'alert');
    const text = document.createElement('p');
    text.textContent = e.message || 'The connection was lost.';
    box.append(text);
    const d = e.error?.details || {};
    const facts = [['Code', e.error?.code], ['Slot', d.slot], ['State', d.state], ['Engine', d.exit],
      ['Delivered', d.events_delivered ? count(d.events_delivered, 'event') : ''],
      ['Try again', 'retryable' in d ? (d.retryable ? (d.retry_after_s ? `in ${d.retry_after_s} s` : 'yes, now') : 'it would not help') : ''],
      ['Request', d.request_id]];
    const list = document.createElement('dl');
    for (const [name, value] of facts) {
      if (!value) continue;
      const [dt, dd] = [document.createElement('dt'), document.createElement('dd')];
      [dt.textContent, dd.textContent] = [name, value];
      list.append(dt, dd);
    }
    box.append(list);
    this.#append(box);
  }
}
