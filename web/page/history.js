// SPDX-License-Identifier: MIT
// The last ten runs; a tap shows one again.
import {STATES, known, number, time} from './words.js';

function line(run, open) {
  const item = document.createElement('li');
  const button = document.createElement('button');
  button.type = 'button';
  button.className = `past ${run.state}`;
  const part = (name, text) => {
    const span = document.createElement('span');
    span.className = name;
    span.textContent = text;
    button.append(span);
  };
  part('when', time(run.started));
  part('end', STATES[run.state] || run.state);
  if (run.state === 'succeeded') {
    part('what', `${number(run.best_position)}` +
      (known(run.uncertainty_steps) ? ` ± ${number(run.uncertainty_steps, 1)}` : '') +
      (run.numbers === 'other' ? ' of another calibration' : ''));
    part('size', known(run.hfr_final_px) ? `HFR ${number(run.hfr_final_px, 2)}` : '');
    part('temp', known(run.temperature_c) ? `${number(run.temperature_c, 1)} °C` : '');
  } else {
    part('what why', run.reason || '');
  }
  button.addEventListener('click', () => open(run.run));
  item.append(button);
  return item;
}

export class History {
  // open(id) is called when somebody taps a run.
  constructor(card, open) {
    this.list = card.querySelector('.runs');
    this.empty = card.querySelector('.empty');
    this.open = open;
  }

  async load() {
    let runs;
    try {
      const response = await fetch('/focusd/v1/runs?limit=10', {cache: 'no-store'});
      runs = response.ok ? await response.json() : null;
    } catch (e) {
      return; // the banner tells that the server is away; the list is loaded again with it
    }
    if (runs === null) {
      this.empty.textContent = 'The history cannot be read just now.';
      this.empty.hidden = false;
      return;
    }
    this.empty.hidden = runs.length > 0;
    this.list.replaceChildren(...runs.map((run) => line(run, this.open)));
  }
}

export async function loadRun(id) {
  const response = await fetch(`/focusd/v1/runs/${id}`, {cache: 'no-store'});
  if (!response.ok) {
    throw new Error((await response.text()).trim());
  }
  return response.json();
}
