// SPDX-License-Identifier: MIT
// The card of a focuser's autofocus runs.
import {action} from './alpaca.js';
import {Chart} from './chart.js';
import {Say, setText, stamp} from './focuser.js';
import {STATES, known, lesson, number, outcome, phase} from './words.js';

export class AutofocusCard {
  constructor(focuser) {
    this.focuser = focuser;
    this.card = stamp('autofocus-template');
    this.pick = (name) => this.card.querySelector(name);
    this.card.id = `autofocus-${focuser.device.number}`;
    this.say = new Say(this.pick('.say'));
    this.chart = new Chart(this.pick('.chart'), this.pick('.readout'));
    this.camera = null; // the card of the focuser's camera; null without one
    this.run = null;   // the newest
    this.old = null;   // one from the history, shown instead
    this.pick('.start').addEventListener('click', (e) => this.start(e.currentTarget));
    this.pick('.abort').addEventListener('click', (e) => this.abort(e.currentTarget));
    this.pick('.newest').addEventListener('click', () => this.showOld(null));
    this.pick('.learned').addEventListener('toggle', () =>
      this.say.run(this.pick('.forget'), () => this.learned('')));
    this.pick('.forget').addEventListener('click', (e) =>
      this.say.run(e.currentTarget, () => this.learned('forget')));
    this.pick('.options form').addEventListener('submit', (e) => e.preventDefault());
  }

  // The focuser or its camera has a new state: whether a run can be started now, else why not.
  news() {
    const state = this.focuser.state;
    // Whose focuser is turned by hand has the card of guided focusing in its place.
    this.card.hidden = state.by_hand;
    const why = this.whyOff(state, this.camera && this.camera.state);
    const button = this.pick('.start');
    this.say.news(state);
    button.toggleAttribute('data-off', why !== '');
    button.setAttribute('aria-disabled', String(why !== ''));
    setText(this.pick('.why-off'), button.hidden ? '' : why);
  }

  // Why no run can be started now; '' when it can.
  whyOff(focuser, camera) {
    const off = (device) => device.link === 'lost' ? `The link to ${device.name} is lost.` :
      device.link === 'opening' ? `${device.name} is being connected.` :
        `${device.name} is not connected. Press Connect first.`;
    if (!camera) {
      return `${focuser.name} has no camera to focus with. The setup page says how to name one.`;
    }
    for (const device of [focuser, camera]) {
      if (device.link !== 'up') {
        return off(device);
      }
    }
    if (this.focuser.isCalibrating(focuser)) {
      return `${focuser.name} is calibrating.`;
    }
    if (focuser.move_refusal) {
      return `${focuser.name} is ${focuser.move_refusal}.`;
    }
    if (camera.expose_refusal) {
      return `${camera.name} ${camera.expose_refusal}.`;
    }
    if (focuser.leased_to_run || camera.leased_to_run) {
      return 'Another run goes on.';
    }
    return focuser.moving ? `${focuser.name} is moving.` :
      camera.activity === 'idle' || camera.activity === 'error' ? '' : `${camera.name} takes a frame.`;
  }

  start(button) {
    if (button.hasAttribute('data-off')) {
      return;
    }
    const parameters = {};
    for (const input of this.card.querySelectorAll('.options input')) {
      const text = input.value.trim().replace(',', '.');
      if (text !== '') {
        if (!Number.isFinite(Number(text))) {
          this.say.tell(`“${input.value}” is not a number.`, true);
          return;
        }
        parameters[input.name] = Number(text);
      }
    }
    this.say.run(button, async () => {
      await action(this.focuser.device, 'Autofocus',
        Object.keys(parameters).length ? parameters : '');
      this.showOld(null);
    });
  }

  abort(button) {
    this.say.run(button, () => action(this.focuser.device, 'AutofocusAbort'));
  }

  // Shows what the runs taught, after it was forgotten where that is wished.
  async learned(what) {
    if (!this.pick('.learned').open) {
      return;
    }
    const {learned} = await action(this.focuser.device, 'Learned', what);
    this.pick('.lessons').replaceChildren(...learned.map((of) => {
      const item = document.createElement('li');
      item.textContent = lesson(of);
      return item;
    }));
    this.pick('.learned .none').hidden = learned.length > 0;
    this.pick('.forget').hidden = learned.length === 0;
  }

  showRun(run) {
    this.run = run;
    if (run.state === 'running') {
      this.old = null;
    }
    this.show();
  }

  showOld(run) {
    this.old = run;
    this.show();
  }

  show() {
    const run = this.old || this.run;
    const running = this.run && this.run.state === 'running';
    this.pick('.start').hidden = Boolean(running);
    this.pick('.abort').hidden = !running;
    this.pick('.going').hidden = !running;
    this.news();
    this.pick('.old').hidden = !this.old;
    this.pick('.curve .empty').hidden = Boolean(run && run.points && run.points.length);
    this.pick('.table').hidden = !run;
    if (!run) {
      return;
    }
    const pill = this.pick('.run-state');
    pill.textContent = STATES[run.state] || run.state;
    pill.dataset.state = run.state;
    this.card.dataset.state = run.state;
    this.pick('.old-text').textContent = `Run ${run.run} from the history.`;
    this.pick('.going progress').value = run.progress || 0;
    const count = (run.points || []).length;
    this.pick('.phase').textContent = running ?
      `${phase(run.phase)} · ${number(100 * (run.progress || 0))} % · ${count} ` +
      (count === 1 ? 'point' : 'points') : '';
    const {head, detail} = outcome(run);
    this.pick('.result').hidden = !head;
    this.pick('.result-head').textContent = head;
    this.pick('.result-detail').textContent = detail;
    this.chart.show(run);
    this.showTable(run);
  }

  showTable(run) {
    for (const format of ['json', 'csv', 'nina']) {
      this.pick(`a.${format}`).href = `/focusd/v1/runs/${run.run}` +
        (format === 'json' ? '' : `?format=${format}`);
    }
    const rows = (run.points || []).map((p) => {
      const row = document.createElement('tr');
      const note = p.validation ? 'check' : p.used === false ? p.why || 'left out' : '';
      for (const text of [number(p.position), number(p.hfr_px, 2), number(p.error_px, 2),
        number(p.stars), note]) {
        row.insertCell().textContent = text;
      }
      return row;
    });
    this.pick('tbody').replaceChildren(...rows);
  }
}
