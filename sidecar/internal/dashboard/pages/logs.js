// The log of one slot's engine, live.
import { slotPath } from './api.js';
import { Feed } from './feed.js';

const kept = 2000; // lines

export class Logs {
  constructor(dialog) {
    this.dialog = dialog;
    this.title = dialog.querySelector('h2');
    this.lines = dialog.querySelector('pre');
    this.stick = dialog.querySelector('input');
    dialog.addEventListener('close', () => this.feed?.stop());
  }

  open(id) {
    this.feed?.stop();
    this.title.textContent = `Log of ${id}`;
    this.lines.replaceChildren();
    this.pending = [];
    this.feed = new Feed(slotPath(id, '/logs?follow=1'), { line: (text) => this.#add(text) }, (state) => {
      if (state === 'live') { this.lines.replaceChildren(); this.pending = []; }
    });
    this.feed.start();
    this.dialog.showModal();
    this.lines.focus();
  }

  // Lines come in bursts; they are put into the page once a frame.
  #add(text) {
    if (this.pending.push(text) > 1) return;
    requestAnimationFrame(() => {
      this.lines.append(...this.pending.slice(-kept).map((t) => document.createTextNode(`${t}\n`)));
      this.pending = [];
      while (this.lines.childNodes.length > kept) this.lines.firstChild.remove();
      if (this.stick.checked) this.lines.scrollTop = this.lines.scrollHeight;
    });
  }
}
