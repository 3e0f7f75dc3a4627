// Words for numbers. Durations come as nanoseconds from the API.

export const ms = (ns) => ns / 1e6;

/** A duration in milliseconds, for people: 12 ms, 1.4 s, 3 min 20 s, 5 h. */
export function span(milliseconds) {
  const s = milliseconds / 1000;
  if (s < 0.0005) return '0 ms';
  if (s < 1) return `${Math.round(milliseconds)} ms`;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 59.5) return `${Math.round(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
  if (s < 48 * 3600) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d`;
}

/** A duration in whole seconds, for what ticks: 0 s, 12 s, 3 min 20 s. */
export const ticking = (milliseconds) => (milliseconds < 59.5e3 ? `${Math.max(0, Math.round(milliseconds / 1000))} s` : span(milliseconds));

export function size(bytes) {
  for (const [unit, name] of [[2 ** 40, 'TiB'], [2 ** 30, 'GiB'], [2 ** 20, 'MiB'], [2 ** 10, 'KiB']]) {
    if (bytes >= unit) return `${(bytes / unit).toFixed(bytes / unit < 10 ? 1 : 0)} ${name}`;
  }
  return `${bytes} B`;
}

export const clock = (date) => date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });

export const count = (n, word) => `${n} ${word}${n === 1 ? '' : 's'}`;
