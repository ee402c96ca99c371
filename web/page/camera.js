// SPDX-License-Identifier: MIT
// The card of one camera, and the viewer that shows its last frame large.
import {put} from './alpaca.js';
import {Connection, Say, setText, stamp} from './focuser.js';
import {ACTIVITIES, duration, known, number, sentence, time} from './words.js';

const previewUrl = (camera, part = '') =>
  `/focusd/v1/camera/${camera.number}/preview.jpg?serial=${camera.frame.serial}${part}`;

export class CameraCard {
  constructor(state, viewer) {
    this.device = {type: 'camera', number: state.number};
    this.card = stamp('camera-template');
    this.card.id = `camera-${state.number}`;
    this.pick = (name) => this.card.querySelector(name);
    this.say = new Say(this.pick('.say'));
    this.connection = new Connection(this.card, this.device, this.say);
    this.pick('.setup').href = `/setup/v1/camera/${state.number}/setup`;
    this.image = this.pick('.frame');
    this.shown = null;     // serial in the img
    this.loading = false;
    this.image.addEventListener('load', () => this.loaded(true));
    this.image.addEventListener('error', () => this.loaded(false));
    this.pick('.picture').addEventListener('click', () => viewer.open(this.state));
    this.pick('.expose').addEventListener('submit', (e) => {
      e.preventDefault();
      this.expose(e.submitter || this.pick('.expose button'));
    });
    this.show(state);
    setInterval(() => this.showAge(), 1000);
  }

  show(state) {
    this.state = state;
    const up = this.connection.show(state);
    this.say.news(state);
    this.pick('.name').textContent = state.name;
    this.card.setAttribute('aria-label', `Camera ${state.name}`);
    const busy = state.activity !== 'idle' && state.activity !== 'error';
    const progress = this.pick('.activity progress');
    progress.hidden = !(up && busy);
    progress.value = state.percent;
    let doing = up ? ACTIVITIES[state.activity] ?? state.activity : '';
    if (state.activity === 'exposing' && known(state.exposure_s)) {
      doing += `, ${number(state.exposure_s, state.exposure_s < 1 ? 2 : state.exposure_s % 1 ? 1 : 0)} s`;
    }
    this.pick('.doing').textContent = doing;
    const failure = sentence(state.last_failure);
    this.pick('.failure').textContent = failure && failure !== this.say.element.textContent ?
      `Last failure: ${failure}` : '';
    const button = this.pick('.expose button');
    const why = this.whyOff(state);
    button.toggleAttribute('data-off', why !== '');
    button.setAttribute('aria-disabled', String(why !== ''));
    button.title = why;
    this.showWatched(state);
    this.refresh();
  }

  // A camera that watches a folder has the newest measurement in place of a button that exposes.
  showWatched(state) {
    const w = state.watched;
    this.pick('.expose').hidden = Boolean(state.expose_refusal) || Boolean(w);
    setText(this.pick('.refusal'), state.expose_refusal ? sentence(`It ${state.expose_refusal}`) : '');
    this.pick('.refusal').hidden = !state.expose_refusal;
    this.pick('.watched').hidden = !w;
    if (!w) {
      return;
    }
    const some = w.measured > 0;
    setText(this.pick('.watched-size'), some ? `HFR ${number(w.hfr_px, 2)} px` : 'Nothing measured yet.');
    this.came = some ? Date.now() - 1000 * w.age_s : null;
    this.showAge();
    const left = w.left_out > 0 ? `Left out ${number(w.left_out)}, the last ${w.left_out_file}: ${w.left_out_why}` : '';
    setText(this.pick('.watched-left'), sentence(left));
  }

  // How old the measurement is grows without news of the server.
  showAge() {
    const w = this.state.watched;
    if (w && this.came !== null) {
      setText(this.pick('.watched-facts'),
        `${number(w.stars)} stars · ${w.file} · ${duration((Date.now() - this.came) / 1000)} old`);
    }
  }

  // Loads the newest frame, one at a time: on a slow link frames are skipped, never queued.
  refresh() {
    const frame = this.state.frame;
    this.pick('.empty').hidden = Boolean(frame);
    this.pick('.picture').hidden = !frame;
    this.pick('.frame-facts').textContent = frame ? this.facts(frame) : '';
    if (frame && !this.loading && frame.serial !== this.shown) {
      this.loading = true;
      this.shown = frame.serial;
      this.image.src = previewUrl(this.state);
    }
  }

  loaded(good) {
    this.loading = false;
    this.image.dataset.serial = good ? String(this.shown) : '';
    if (good) {
      this.refresh();
    } else {
      this.shown = null; // tried again with the next news of this camera
    }
  }

  facts(frame) {
    const facts = [`${number(frame.width)} × ${number(frame.height)} px`];
    if (frame.bin > 1) {
      facts.push(`binned ${frame.bin} × ${frame.bin}`);
    }
    if (known(frame.exposure_s)) {
      facts.push(`${number(frame.exposure_s, frame.exposure_s % 1 ? 2 : 0)} s`);
    }
    facts.push(time(frame.start));
    if (frame.label) {
      facts.push(frame.label);
    }
    return facts.join(' · ');
  }

  // Why the button does nothing now; '' when it does something.
  whyOff(state) {
    if (state.leased_to_run) {
      return 'An autofocus run uses the camera now.';
    }
    if (state.expose_refusal) {
      return sentence(`It ${state.expose_refusal}`);
    }
    return state.link === 'up' ? '' : 'Not connected. Press Connect first.';
  }

  expose(button) {
    const text = this.pick('.expose input').value.trim().replace(',', '.');
    if (button.hasAttribute('data-off')) {
      const why = this.whyOff(this.state);
      this.say.tell(why, true, (state) => this.whyOff(state) === why);
    } else if (text === '' || !(Number(text) >= 0)) {
      this.say.tell('Type an exposure in seconds, for example 2.5.', true);
    } else {
      this.say.run(button, () => put(this.device, 'startexposure', {Duration: text, Light: 'True'}));
    }
  }

  abort() {
    return put(this.device, 'abortexposure', {}, {timeout: 2500});
  }
}

// Covers the page but for STOP.  The whole frame first; a tap shows that place pixel by pixel.
export class Viewer {
  constructor(dialog) {
    this.dialog = dialog;
    this.image = dialog.querySelector('.viewer-image');
    this.stage = dialog.querySelector('.viewer-stage');
    this.text = dialog.querySelector('.viewer-text');
    this.wholeButton = dialog.querySelector('.viewer-whole');
    this.closeButton = dialog.querySelector('.viewer-close');
    this.closeButton.addEventListener('click', () => this.close());
    this.wholeButton.addEventListener('click', () => this.whole());
    this.image.addEventListener('click', (e) => this.tap(e));
    document.addEventListener('keydown', (e) => {
      if (e.key === 'Escape' && this.dialog.open) {
        this.close();
      }
    });
  }

  open(camera) {
    this.camera = camera;
    this.from = document.activeElement;
    // The viewer is not modal, because STOP must stay within reach.
    this.dialog.show();
    this.whole();
    this.closeButton.focus();
  }

  close() {
    this.dialog.close();
    this.image.removeAttribute('src');
    this.from.focus();
  }

  whole() {
    this.zoomed = false;
    this.dialog.classList.remove('zoomed');
    this.wholeButton.hidden = true;
    this.text.textContent = 'Tap a star to see it pixel by pixel.';
    this.image.src = previewUrl(this.camera);
  }

  tap(e) {
    if (this.zoomed) {
      this.whole();
      return;
    }
    const {width, height} = this.camera.frame;
    const box = this.image.getBoundingClientRect();
    const w = Math.min(width, Math.floor(this.stage.clientWidth));
    const h = Math.min(height, Math.floor(this.stage.clientHeight));
    const corner = (share, size, part) =>
      Math.round(Math.min(Math.max(share * size - part / 2, 0), size - part));
    const x = corner((e.clientX - box.left) / box.width, width, w);
    const y = corner((e.clientY - box.top) / box.height, height, h);
    this.zoomed = true;
    this.dialog.classList.add('zoomed');
    this.wholeButton.hidden = false;
    this.text.textContent = `1:1 around ${number(x + w / 2)}, ${number(y + h / 2)}`;
    this.image.src = previewUrl(this.camera, `&x=${x}&y=${y}&w=${w}&h=${h}`);
  }
}
