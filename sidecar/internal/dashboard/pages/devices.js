// The bars of the devices' memory.
import { size } from './format.js';

const ns = 'http://www.w3.org/2000/svg';

export function showDevices(box, { devices, accounts, problems }) {
  const rows = (devices || []).filter((d) => d.total_bytes > 0 && !d.part).map((d) => row(d, (accounts || []).find((a) => a.id === d.id)));
  for (const p of problems || []) {
    const text = document.createElement('p');
    text.className = 'bad';
    text.textContent = `${p.source}: ${p.text}`;
    rows.push(text);
  }
  if (!rows.length) {
    const none = document.createElement('p');
    none.className = 'quiet';
    none.textContent = 'No device tells its memory.';
    rows.push(none);
  }
  box.replaceChildren(...rows);
}

function row(d, account) {
  const total = d.total_bytes;
  const free = d.free_bytes < 0 ? total : d.free_bytes;
  const holders = account?.holders || [];
  const reserved = account?.reserved_bytes || 0;
  const others = Math.max(total - free - reserved, 0);
  const box = document.createElement('div');
  const name = document.createElement('p');
  name.className = 'device-name';
  const [left, right] = [document.createElement('strong'), document.createElement('span')];
  left.textContent = d.kind === 'host' ? 'Host memory' : `${d.name} (${d.id})`;
  right.textContent = `${size(Math.max(free, 0))} free of ${size(total)}`;
  name.append(left, right);
  const legend = document.createElement('p');
  legend.className = 'legend';
  legend.textContent = [...holders.map((h) => `${h.owner} ${size(h.bytes)}${h.quarantined ? ' (cannot be ended)' : ''}`), `other use ${size(others)}`].join(' · ');
  box.append(name, bar(total, holders, others), legend);
  return box;
}

function bar(total, holders, others) {
  const svg = document.createElementNS(ns, 'svg');
  svg.setAttribute('class', 'meter');
  svg.setAttribute('viewBox', '0 0 1000 14');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('aria-hidden', 'true');
  let at = 0;
  const part = (bytes, kind) => {
    const width = Math.min((bytes / total) * 1000, 1000 - at);
    if (width <= 0) return;
    const rect = document.createElementNS(ns, 'rect');
    for (const [k, v] of Object.entries({ x: at, y: 0, width: Math.max(width - 1.5, 1), height: 14, class: kind })) rect.setAttribute(k, v);
    svg.append(rect);
    at += width;
  };
  holders.forEach((h) => part(h.bytes, 'slot-part'));
  part(others, 'other-part');
  return svg;
}
