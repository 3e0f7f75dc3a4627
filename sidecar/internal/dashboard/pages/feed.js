// The stream of events, kept open while anybody looks: it is opened again when
// it breaks, and closed while the page is hidden.

const hiddenFor = 10_000; // ms until a hidden page lets go
const again = [500, 1000, 2000, 5000, 10_000]; // ms between tries

export class Feed {
  /** on: what to call for each name of event; state: called with live, lost or shut. */
  constructor(path, on, state) {
    Object.assign(this, { path, on, state, failed: 0, source: null, timer: 0, stopped: true });
    document.addEventListener('visibilitychange', () => this.#visibility());
  }

  start() {
    this.stopped = false;
    this.#open();
  }

  stop() {
    this.stopped = true;
    this.#close();
  }

  #open() {
    this.#close();
    const source = new EventSource(this.path);
    this.source = source;
    source.onopen = () => { this.failed = 0; this.state('live'); };
    source.onerror = () => this.#broke();
    for (const [name, call] of Object.entries(this.on)) {
      source.addEventListener(name, (event) => call(JSON.parse(event.data)));
    }
  }

  #close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  #broke() {
    this.#close();
    if (this.stopped) return;
    const wait = again[Math.min(this.failed++, again.length - 1)];
    this.state('lost');
    this.timer = setTimeout(async () => {
      let session = null;
      try {
        session = await (await fetch('/api/session')).json();
      } catch { /* the sidecar is away */ }
      if (this.stopped) return;
      if (session && !session.open) return this.state('shut');
      this.#open();
    }, wait);
  }

  #visibility() {
    clearTimeout(this.hide);
    if (document.hidden) this.hide = setTimeout(() => this.#close(), hiddenFor);
    else if (!this.stopped && !this.source) this.#open();
  }
}
