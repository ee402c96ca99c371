// SPDX-License-Identifier: MIT
// The card of one focuser, and what all cards have.
import {action, put} from './alpaca.js';
import {CALIBRATIONS, TRUSTS, duration, known, link, number, sentence} from './words.js';

const SIZES = [1, 10, 100, 1000];

export function stamp(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

// A status region speaks up whenever its text is set, so it is set only when it changes.
export function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

// Whether a message about rest still holds: it may come before the rest itself, and holds until the focuser is busy
// again or stands elsewhere, since a short move may lie between two states that the page sees.
export function untilBusy(now) {
  let at = null;
  const holds = (state) => {
    const busy = Boolean(state.moving || state.leased_to_run);
    if (at === null) {
      at = busy ? null : state.position;
      return true;
    }
    return !busy && state.position === at;
  };
  holds(now);
  return holds;
}

// A line for what a command came to; an error is a sentence.  It stays until the next command, until the link is
// back, or until holds, which is asked with each new state of the device, says that it is no longer true.
export class Say {
  constructor(element) {
    this.element = element;
    this.holds = null;
    this.link = undefined;
  }

  tell(text, bad = false, holds = null) {
    this.element.textContent = text;
    this.element.classList.toggle('bad', bad);
    this.holds = holds;
  }

  news(state) {
    const back = state.link === 'up' && this.link !== undefined && this.link !== 'up';
    this.link = state.link;
    if (back || (this.holds && !this.holds(state))) {
      this.tell('');
    }
  }

  // Runs a command; the button is off meanwhile.
  async run(button, work) {
    button.disabled = true;
    this.tell('');
    try {
      await work();
    } catch (e) {
      this.tell(sentence(e.message), true);
    } finally {
      button.disabled = false;
    }
  }
}

// The Connect button of any device.  The link may stay up for other programs after this page said
// disconnect, so what the page said is remembered beside what the link is.
export class Connection {
  constructor(card, device, say) {
    this.card = card;
    this.device = device;
    this.said = false;
    this.pill = card.querySelector('.link');
    this.button = card.querySelector('.connect');
    this.button.addEventListener('click', () => this.press(say));
  }

  press(say) {
    const connect = this.button.dataset.does !== 'disconnect';
    if (!connect && this.state.leased_to_run && !window.confirm(
      `An autofocus run uses ${this.state.name}. To disconnect ends the run. Disconnect?`)) {
      return;
    }
    say.run(this.button, async () => {
      await put(this.device, 'connected', {Connected: connect ? 'True' : 'False'});
      this.said = !connect;
      this.show(this.state);
    });
  }

  show(state) {
    this.state = state;
    const up = state.link === 'up' || state.link === 'lost';
    const ours = up && !this.said;
    this.pill.textContent = up && this.said ? 'kept by others' : link(state.link);
    this.pill.dataset.link = state.link;
    this.button.textContent = ours || state.link === 'opening' ? 'Disconnect' : 'Connect';
    this.button.dataset.does = ours || state.link === 'opening' ? 'disconnect' : 'connect';
    this.button.setAttribute('aria-label', `${this.button.textContent} ${state.name}`);
    this.button.classList.toggle('primary', !ours && state.link !== 'opening');
    this.card.classList.toggle('off', state.link !== 'up');
    return state.link === 'up';
  }
}

export class FocuserCard {
  constructor(state) {
    this.device = {type: 'focuser', number: state.number};
    this.offered = false; // the calibration, opened by itself
    this.card = stamp('focuser-template');
    this.say = new Say(this.card.querySelector('.say'));
    this.connection = new Connection(this.card, this.device, this.say);
    this.pick = (name) => this.card.querySelector(name);
    this.card.id = `focuser-${state.number}`;
    this.pick('.setup').href = `/setup/v1/focuser/${state.number}/setup`;
    this.makeSizes(state.number);
    this.pick('.in').addEventListener('click', (e) => this.step(e.currentTarget, -1));
    this.pick('.out').addEventListener('click', (e) => this.step(e.currentTarget, 1));
    this.pick('.restore').addEventListener('click', (e) => this.settle(e.currentTarget, 'restore'));
    this.pick('.keep').addEventListener('click', (e) => this.settle(e.currentTarget, 'keep'));
    this.pick('.goto').addEventListener('submit', (e) => {
      e.preventDefault();
      this.goTo(e.submitter || this.pick('.goto button'));
    });
    this.pick('.stands').addEventListener('submit', (e) => {
      e.preventDefault();
      this.stands(e.submitter || this.pick('.stands button'));
    });
    this.pick('.sure input').addEventListener('change', (e) => {
      this.pick('.start-calibration').disabled = !e.currentTarget.checked;
    });
    this.pick('.start-calibration').addEventListener('click', (e) => this.calibrate(e.currentTarget));
    this.pick('.abort-calibration').addEventListener('click', (e) => this.say.run(e.currentTarget,
      () => action(this.device, 'Calibrate', 'abort')));
    this.show(state);
  }

  makeSizes(n) {
    for (const size of SIZES) {
      const label = document.createElement('label');
      const input = document.createElement('input');
      input.type = 'radio';
      input.name = `size-${n}`;
      input.value = String(size);
      input.checked = size === 100;
      input.addEventListener('change', () => this.showSize(size));
      const text = document.createElement('span');
      text.textContent = number(size);
      label.append(input, text);
      this.pick('.sizes').append(label);
    }
    this.showSize(100);
  }

  showSize(size) {
    this.size = size;
    this.pick('.in small').textContent = `− ${number(size)}`;
    this.pick('.out small').textContent = `+ ${number(size)}`;
    this.pick('.in').setAttribute('aria-label', `In by ${size} steps`);
    this.pick('.out').setAttribute('aria-label', `Out by ${size} steps`);
  }

  show(state) {
    this.state = state;
    const up = this.connection.show(state);
    this.say.news(state);
    const stale = state.position_stale || !up;
    this.pick('.name').textContent = state.name;
    this.card.setAttribute('aria-label', `Focuser ${state.name}`);
    const steps = this.pick('.steps');
    steps.textContent = number(state.position);
    steps.dataset.value = known(state.position) ? String(state.position) : '';
    steps.classList.toggle('stale', stale);
    this.card.classList.toggle('is-moving', state.moving);
    this.pick('.moving').textContent = this.motionWords(state, up);
    this.pick('.temperature').textContent = known(state.temperature_c) ?
      `${number(state.temperature_c, 1)} °C` : '';
    this.pick('.turns').textContent = state.steps_per_turn > 0 && known(state.position) ?
      `= ${number(state.position / state.steps_per_turn, 2)} turns` : '';
    this.showByHand(state);
    this.showNumbering(state);
    this.showRange(state);
    this.showCalibration(state, up);
    this.showDoubt(state, up);
    this.showProtection(state, up);
    this.showStop(state);
    const failure = sentence(state.last_failure);
    this.pick('.failure').textContent = failure && failure !== this.say.element.textContent ?
      `Last failure: ${failure}` : '';
    // A held focuser belongs to its run; only STOP and abort reach it.
    const off = this.isOff(state);
    for (const button of this.card.querySelectorAll('.in, .out, .goto button')) {
      button.toggleAttribute('data-off', off);
      button.setAttribute('aria-disabled', String(off));
      button.title = off ? this.whyOff(state) : '';
    }
  }

  // A focuser without a motor has a place to say where it stands instead of buttons that move it.
  showByHand(state) {
    for (const name of ['.sizes', '.moves', '.goto']) {
      this.pick(name).hidden = state.by_hand;
    }
    for (const name of ['.stands', '.by-hand']) {
      this.pick(name).hidden = !state.by_hand;
    }
    const unit = this.pick('.stands select');
    unit.hidden = !(state.steps_per_turn > 0);
    if (unit.hidden) {
      unit.value = 'steps';
    }
    const off = state.link !== 'up' || Boolean(state.leased_to_run);
    const button = this.pick('.stands button');
    button.toggleAttribute('data-off', off);
    button.setAttribute('aria-disabled', String(off));
    button.title = off ? this.whyNotSet(state) : '';
  }

  whyNotSet(state) {
    return state.leased_to_run ? 'A measurement uses it now. Wait until that is over.' :
      'Not connected. Press Connect first.';
  }

  stands(button) {
    const text = this.pick('.stands input').value.replace(/[\s\u202f]/g, '').replace(',', '.');
    const turns = this.pick('.stands select').value === 'turns';
    const s = this.state;
    if (button.hasAttribute('data-off')) {
      this.say.tell(this.whyNotSet(s), true, (state) => state.link !== 'up' || Boolean(state.leased_to_run));
    } else if (turns && !/^\d{1,7}(\.\d{1,4})?$/.test(text)) {
      this.say.tell('Type turns of the knob, for example 3.25.', true);
    } else if (!turns && !/^\d{1,9}$/.test(text)) {
      this.say.tell('Type a position in whole steps, for example 12000.', true);
    } else {
      this.settle(button, turns ? {turns: Number(text)} : {position: Number(text)});
    }
  }

  isOff(state) {
    return state.link !== 'up' || Boolean(state.leased_to_run) || Boolean(state.move_refusal) ||
      this.isCalibrating(state);
  }

  // Says why a button does nothing, for as long as that is so.
  tellWhyOff() {
    const why = this.whyOff(this.state);
    this.say.tell(why, true, (state) => this.isOff(state) && this.whyOff(state) === why);
  }

  isCalibrating(state) {
    return Boolean(state.calibration) && state.calibration.state === 'running';
  }

  showCalibration(state, up) {
    const c = state.calibration;
    const running = this.isCalibrating(state);
    this.pick('.calibrating').hidden = !running;
    const details = this.pick('.calibration');
    details.hidden = !c || running || !up;
    if (running) {
      this.pick('.calibrating progress').value = c.progress ?? 0;
      this.pick('.calibration-words').textContent = up ? `Calibrating, step ${c.step} of ${c.of}` :
        'Calibrating; the motor goes on while the link is lost';
    } else if (c) {
      const limits = c.limits ? `Limits of the motor: ${number(c.limits.low)} to ${number(c.limits.high)}.` :
        sentence(state.move_refusal);
      const last = c.state === 'none' ? '' :
        ` Last calibration: ${sentence([CALIBRATIONS[c.state], c.reason].filter(Boolean).join(': '))}`;
      this.pick('.calibration-state').textContent = limits + last;
    }
    // Nothing moves without limits, so what helps is there to see, once; and put away when it has helped.
    const needed = up && Boolean(state.move_refusal) && Boolean(c) && !c.limits;
    if (needed !== this.offered && !running) {
      this.offered = needed;
      details.open = needed;
    }
  }

  calibrate(button) {
    this.pick('.sure input').checked = false;
    this.say.run(button, () => action(this.device, 'Calibrate', 'start')).then(() => {
      button.disabled = true;
    });
  }

  // Why the buttons do nothing now, for the one who pressed them.
  whyOff(s) {
    if (s.leased_to_run) {
      return 'An autofocus run moves it now. STOP or abort ends the run.';
    }
    if (this.isCalibrating(s)) {
      return 'It is calibrating. STOP or abort ends that.';
    }
    return s.link === 'up' && s.move_refusal ? `It is ${s.move_refusal}.` :
      'Not connected. Press Connect first.';
  }

  motionWords(state, up) {
    if (!up) {
      return known(state.position) ? `last known, ${duration(state.position_age_s)} old` : '';
    }
    if (this.isCalibrating(state)) {
      return 'calibrating';
    }
    if (state.moving) {
      return known(state.target) ? `moving to ${number(state.target)}` : 'moving';
    }
    if (state.by_hand) {
      return known(state.position) ? 'turned by hand' : 'not said yet';
    }
    if (state.position_stale) {
      return `no reading for ${duration(state.position_age_s)}`;
    }
    return 'at rest';
  }

  // A position that is not trusted: in words and with a sign, and the two ways to settle it.
  showDoubt(state, up) {
    const doubt = this.pick('.doubt');
    // A calibration numbers positions anew: what they are is known when it ends.
    doubt.hidden = !up || !TRUSTS[state.trust] || this.isCalibrating(state);
    if (doubt.hidden) {
      return;
    }
    doubt.dataset.trust = state.trust;
    const within = known(state.within_low) ?
      `, within ${number(state.within_low)} to ${number(state.within_high)}` : '';
    setText(this.pick('.doubt-head'), `⚠ ${TRUSTS[state.trust]}${within}`);
    const offer = state.can_set_position && known(state.remembered_position);
    const advice = state.can_set_position ? '' :
      ' This focuser cannot be told where it stands.';
    setText(this.pick('.doubt-why'), sentence(state.trust_why) + advice);
    const restore = this.pick('.restore');
    restore.hidden = !offer;
    const word = state.trust === 'unknown' ? 'Set to last seen' : 'Restore';
    setText(restore, offer ? `${word} ${number(state.remembered_position)}` : '');
    // There is no number yet that could be kept.
    this.pick('.keep').hidden = !known(state.position);
    const off = state.moving || Boolean(state.leased_to_run);
    for (const button of doubt.querySelectorAll('button')) {
      button.toggleAttribute('data-off', off);
      button.setAttribute('aria-disabled', String(off));
    }
  }

  // The journal is behind or cannot be written: nothing is wrong now, but a power cut would cost the position.
  showProtection(state, up) {
    const unprotected = this.pick('.unprotected');
    unprotected.hidden = !(up && state.journal_failing);
    setText(unprotected, unprotected.hidden ? '' : '⚠ Position unprotected: it could not be written down. ' +
      'If the power fails now, nobody knows afterwards where the focuser stands.');
  }

  // A STOP that waits for the link, or what became of it.
  showStop(state) {
    const stop = this.pick('.stop-words');
    stop.hidden = !state.stop_words;
    stop.classList.toggle('bad', state.stop_owed);
    setText(stop, state.stop_words ? `⚠ ${state.stop_words}` : '');
  }

  // Positions begin with 0 at the motor's own limit; the motor's own number stands beside them where it differs, and
  // a target that lay beyond the limits is said, whoever asked for it.
  showNumbering(state) {
    const n = state.numbering;
    const differs = Boolean(n) && (n.low !== 0 || n.reversed) && known(state.motor_position);
    const outside = known(state.outside_at) ?
      `the motor stands at ${number(state.outside_at)}, outside 0 to ${number(state.max_step)}` : '';
    const own = differs ? `motor’s own number ${number(state.motor_position)}` : '';
    this.pick('.own').textContent = [outside, own].filter(Boolean).join(', ');
    const clamped = this.pick('.clamped');
    clamped.hidden = !state.clamped;
    setText(clamped, state.clamped ? `${number(state.clamped.asked)} was asked for; ` +
      `${number(state.clamped.to)} is as far as it may go.` : '');
  }

  settle(button, how) {
    if (button.hasAttribute('data-off')) {
      this.say.tell('Wait until it is at rest.', true);
      return;
    }
    this.say.run(button, async () => {
      const {position, within} = await action(this.device, 'SetPosition', how);
      const guess = within ? ' That is a guess: keep it only when it is right.' : '';
      this.say.tell(`The position is ${number(position)} now. Nothing has moved.${guess}`, false,
        (state) => !state.moving && !state.leased_to_run);
    });
  }

  showRange(state) {
    const range = this.pick('.range');
    range.hidden = !(state.max_step > 0);
    this.pick('.range-ends').hidden = range.hidden;
    if (range.hidden) {
      return;
    }
    const low = state.min_step;
    const width = Math.max(state.max_step - low, 1);
    const share = (x) => `${100 * Math.min(Math.max((x - low) / width, 0), 1)}%`;
    this.pick('.here').style.left = share(state.position ?? 0);
    this.pick('.here').hidden = !known(state.position);
    this.pick('.goal').style.left = share(state.target ?? 0);
    this.pick('.goal').hidden = !state.moving || !known(state.target) || this.isCalibrating(state);
    this.pick('.low').textContent = number(state.min_step);
    this.pick('.high').textContent = number(state.max_step);
  }

  move(button, target) {
    this.say.run(button, async () => {
      await put(this.device, 'move', {Position: String(target)});
    });
  }

  step(button, sign) {
    const s = this.state;
    if (button.hasAttribute('data-off')) {
      this.tellWhyOff();
      return;
    }
    // Taps during a move add up: they count from where it is going.
    const from = s.moving && known(s.target) ? s.target : s.position;
    if (!known(from)) {
      this.say.tell('The position is not known yet.', true, (state) => !known(state.position));
      return;
    }
    const target = Math.min(Math.max(from + sign * this.size, s.min_step), s.max_step);
    if (target === from) {
      this.say.tell(`That is the end of the range (${number(from)}).`, true);
      return;
    }
    this.state = {...s, moving: true, target};
    this.move(button, target);
  }

  goTo(button) {
    const text = this.pick('.goto input').value.replace(/[\s\u202f]/g, '');
    const s = this.state;
    if (button.hasAttribute('data-off')) {
      this.tellWhyOff();
    } else if (!/^\d{1,9}$/.test(text)) {
      this.say.tell('Type a position in whole steps, for example 12000.', true);
    } else if (Number(text) < s.min_step || Number(text) > s.max_step) {
      this.say.tell(`It can go from ${number(s.min_step)} to ${number(s.max_step)}.`, true);
    } else {
      this.move(button, Number(text));
    }
  }
}
