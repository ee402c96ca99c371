// SPDX-License-Identifier: MIT
// The STOP button: halts every focuser, and says for as long as it is true which one it did not reach.
import {halt, NOT_CONNECTED} from './alpaca.js';
import {untilBusy} from './focuser.js';
import {sentence} from './words.js';

const ASK_MS = 2000;

export class Stop {
  // note(who, text) puts a text into the banner; '' takes it away.
  constructor(button, focusers, cameras, note) {
    this.button = button;
    this.focusers = focusers;
    this.cameras = cameras;
    this.note = note;
    this.unanswered = new Set(); // numbers of the focusers whose STOP got no answer
    button.addEventListener('click', () => this.press());
  }

  async press() {
    this.button.classList.add('pressed');
    const cards = [...this.focusers.values()].map((entry) => entry.card);
    // Halt first: it ends a run where the focuser stands.  An abort of the exposure before it would let
    // the run drive the focuser back.
    await Promise.all(cards.map((card) => this.halt(card)));
    await Promise.allSettled([...this.cameras.values()].filter((c) => c.state.link === 'up')
      .map((c) => c.abort()));
    this.button.classList.remove('pressed');
  }

  async halt(card) {
    const {number} = card.device;
    const away = (then) => this.note(`stop-${number}`,
      `STOP not sent to ${card.state.name}: the server does not answer. ${then}`);
    try {
      await halt(card.device, () => away('Trying again … Cut the power if it moves.'));
      this.unanswered.delete(number);
      this.note(`stop-${number}`, '');
      if (card.state.link === 'up') {
        card.say.tell('Stopped.', false, untilBusy(card.state));
      }
    } catch (e) {
      if (e.number <= 0) {
        this.unanswered.add(number);
        away('Press it again, or cut the power if it moves.');
        this.ask(card);
      } else if (e.number !== NOT_CONNECTED || card.state.link === 'lost' || card.state.stop_owed) {
        // A focuser that nobody has connected does not move for us, so there is nothing to say of it.
        this.note(`stop-${number}`, card.state.stop_owed ? '' : sentence(e.message));
      }
    }
  }

  // Asks whether it moves until the server answers that it rests, since news may have been missed meanwhile.
  async ask(card) {
    const {number} = card.device;
    while (this.unanswered.has(number)) {
      await new Promise((resolve) => setTimeout(resolve, ASK_MS));
      try {
        const response = await fetch(`/api/v1/focuser/${number}/ismoving`,
          {cache: 'no-store', signal: AbortSignal.timeout(ASK_MS)});
        if ((await response.json()).Value === false) {
          this.unanswered.delete(number);
          this.note(`stop-${number}`, '');
        }
      } catch (e) {
        // No answer yet: it is asked again.
      }
    }
  }

  // A focuser has a new state: what the server keeps to send is said by the server's words, and what was not sent is
  // no news any more when the focuser is heard to be at rest.
  news(card) {
    const {device: {number}, state} = card;
    this.note(`stop-owed-${number}`, state.stop_owed ? `${state.name}: ${state.stop_words}` : '');
    if (state.stop_owed || (state.link === 'up' && !state.moving && !state.position_stale)) {
      this.unanswered.delete(number);
      this.note(`stop-${number}`, '');
    } else if (this.unanswered.has(number)) {
      this.note(`stop-${number}`, `STOP was not sent to ${state.name}: the server did not answer. ` +
        'Press it again, or cut the power if it moves.');
    }
  }
}
