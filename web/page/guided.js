// SPDX-License-Identifier: MIT
// The card of a guided session: what the person at the knob is to do next, readable at arm's length.  The server decides;
// this shows its words, and says to it where the knob stands.
import {action} from './alpaca.js';
import {Say, setText, stamp} from './focuser.js';
import {GUIDED, known, number} from './words.js';

export class GuidedCard {
  constructor(focuser) {
    this.focuser = focuser;
    this.card = stamp('guided-template');
    this.card.id = `guided-${focuser.device.number}`;
    this.pick = (name) => this.card.querySelector(name);
    this.say = new Say(this.pick('.say'));
    this.camera = null;  // the card of the focuser's camera; null without one
    this.session = null; // as the action GuidedFocus tells it
    this.asking = false;
    this.stale = false;
    this.pick('.begin').addEventListener('click', (e) => this.begin(e.currentTarget));
    this.pick('.end').addEventListener('click', (e) => this.end(e.currentTarget));
    this.pick('.there').addEventListener('click', (e) => this.there(e.currentTarget));
  }

  // The focuser or its camera has a new state; a session that has changed comes as one of the focuser's.
  news() {
    const state = this.focuser.state;
    this.card.hidden = !state.by_hand;
    if (state.by_hand) {
      this.say.news(state);
      this.showButtons();
      this.ask();
    }
  }

  // Asks for the session, once at a time; news that come meanwhile are asked for afterwards.
  async ask() {
    this.stale = true;
    if (this.asking) {
      return;
    }
    this.asking = true;
    try {
      while (this.stale) {
        this.stale = false;
        this.session = await action(this.focuser.device, 'GuidedFocus');
        this.show();
      }
    } catch (e) {
      // The line at the top says that the server is out of reach; the next news ask again.
    } finally {
      this.asking = false;
    }
  }

  running() {
    return Boolean(this.session) && this.session.state === 'running';
  }

  whyOff() {
    const camera = this.camera && this.camera.state;
    if (!camera) {
      return `${this.focuser.state.name} has no camera to focus with.`;
    }
    for (const device of [this.focuser.state, camera]) {
      if (device.link !== 'up') {
        return `${device.name} is not connected. Press Connect first.`;
      }
    }
    return known(this.focuser.state.position) ? '' : 'Say where it stands first.';
  }

  showButtons() {
    const running = this.running();
    const why = running ? '' : this.whyOff();
    const begin = this.pick('.begin');
    begin.hidden = running;
    begin.toggleAttribute('data-off', why !== '');
    begin.setAttribute('aria-disabled', String(why !== ''));
    this.pick('.end').hidden = !running;
    setText(this.pick('.why-off'), why);
  }

  show() {
    const s = this.session;
    this.showButtons();
    const any = s.state !== 'none';
    this.card.dataset.state = s.state;
    this.card.dataset.turn = s.turn || '';
    const pill = this.pick('.run-state');
    pill.dataset.state = s.state;
    setText(pill, GUIDED[s.state] ?? s.state);
    this.pick('.order').hidden = !any;
    this.pick('.there').hidden = !s.turn;
    if (!any) {
      return;
    }
    setText(this.pick('.which'), s.turn === 'in' ? '↓ IN' : s.turn === 'out' ? '↑ OUT' : '');
    const amount = this.amount(s);
    setText(this.pick('.amount'), amount);
    // It takes the width that there is; capitals are wider than digits.
    this.pick('.amount').style.setProperty('--chars', s.turn ? Math.max(amount.length, 4) : 5);
    setText(this.pick('.unit'), this.unit(s));
    setText(this.pick('.words'), [s.say, s.reason].filter(Boolean).join(' '));
    setText(this.pick('.there'), `It stands at ${number(s.target)} now`);
    setText(this.pick('.sizes-so-far'), this.sizes(s));
  }

  // The one big thing: how far to turn, or what to do in its place.
  amount(s) {
    if (s.turn) {
      return known(s.turns) ? number(s.turns, 2) : number(s.steps);
    }
    const going = known(this.focuser.state.position) ? 'WAIT' : '?';
    return s.state === 'succeeded' ? 'DONE' : s.state === 'running' ? going : 'END';
  }

  unit(s) {
    if (!s.turn) {
      return '';
    }
    const back = known(s.via) ? `, then ${s.turn === 'in' ? 'out' : 'in'} to ${number(s.target)}` : '';
    const steps = `${number(s.steps)} ${s.steps === 1 ? 'division' : 'divisions'}`;
    return `${known(s.turns) ? `turns (${steps})` : s.steps === 1 ? 'division' : 'divisions'}${back}`;
  }

  sizes(s) {
    const facts = [];
    if (known(s.hfr_px)) {
      facts.push(`HFR ${number(s.hfr_px, 2)} px`);
    }
    if (known(s.best_position)) {
      facts.push(`best at ${number(s.best_position)}${known(s.uncertainty_steps) ?
        ` ± ${number(s.uncertainty_steps, s.uncertainty_steps < 10 ? 1 : 0)}` : ''}`);
    }
    if (known(s.hfr_predicted_px)) {
      facts.push(`${number(s.hfr_predicted_px, 2)} px there`);
    }
    facts.push(`${number(s.exposures ?? 0)} ${s.exposures === 1 ? 'frame' : 'frames'}`);
    return facts.join(' · ');
  }

  begin(button) {
    if (!button.hasAttribute('data-off')) {
      this.say.run(button, () => action(this.focuser.device, 'GuidedFocus', 'start').then(() => this.ask()));
    }
  }

  end(button) {
    this.say.run(button, () => action(this.focuser.device, 'GuidedFocus', 'end').then(() => this.ask()));
  }

  there(button) {
    const {target} = this.session;
    this.say.run(button, () => action(this.focuser.device, 'SetPosition', {position: target}));
  }
}
