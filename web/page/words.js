// SPDX-License-Identifier: MIT
// Numbers and states in words.

const THIN = '\u202f';

// 12345.6 -> "12 345.6"; absent knowledge is a dash.
export function number(value, decimals = 0) {
  if (value === null || value === undefined || !Number.isFinite(value)) {
    return '–';
  }
  const [whole, part] = Math.abs(value).toFixed(decimals).split('.');
  const sign = value < 0 && Number(value.toFixed(decimals)) !== 0 ? '−' : '';
  return sign + whole.replace(/\B(?=(\d{3})+(?!\d))/g, THIN) + (part ? '.' + part : '');
}

export const known = (value) => value !== null && value !== undefined && Number.isFinite(value);

export function time(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) {
    return '';
  }
  const hours = (d) => d.toTimeString().slice(0, 5);
  const day = date.toDateString() === new Date().toDateString() ? '' :
    date.toLocaleDateString(undefined, {day: 'numeric', month: 'short'}) + ' ';
  return day + hours(date);
}

export function duration(seconds) {
  if (!known(seconds)) {
    return '–';
  }
  return seconds < 100 ? `${number(seconds)} s` :
    `${Math.floor(seconds / 60)} min ${number(seconds % 60)} s`;
}

// ---- words that the server sends, and what people read ----
// The keys of each list are the names that the server has (tests/audit/check_words.py compares them).

const LINKS = {
  down: 'not connected', opening: 'connecting …', up: 'connected',
  lost: 'link lost, trying again', closing: 'disconnecting …',
};
export const link = (name) => LINKS[name] || name;

const PHASES = {
  start: 'First look', search: 'Looking for the way to focus', sweep: 'Sweeping through focus',
  extend: 'More points on the short side', validate: 'Checking the best position',
  returning: 'Going back to the start', stopping: 'Coming to rest', over: 'Ending',
};
export const phase = (name) => PHASES[name] || name;

export const STATES = {
  running: 'Running', succeeded: 'In focus', failed: 'Failed', aborted: 'Stopped',
};

export const GUIDED = {
  none: '', running: 'Going on', succeeded: 'In focus', failed: 'No focus found', ended: 'Ended',
};

// How far a position can be trusted; a known one needs no words.
export const TRUSTS = {known: '', shifted: 'Position shifted', unknown: 'Position unknown'};

// What a camera does; one at rest needs no words.
export const ACTIVITIES = {
  idle: '', waiting: 'About to expose', exposing: 'Exposing', reading: 'Reading the sensor',
  download: 'Fetching the frame', error: 'Error',
};

// How the last calibration ended.
export const CALIBRATIONS = {
  none: '', running: 'Running', done: 'Done', failed: 'Failed', aborted: 'Stopped',
};

// ---- sentences ----

// A sentence always ends like one.
export function sentence(text) {
  const trimmed = (text || '').trim();
  if (!trimmed) {
    return '';
  }
  return trimmed[0].toUpperCase() + trimmed.slice(1) + (/[.!?]$/.test(trimmed) ? '' : '.');
}

// The outcome of a run, for people: {head, detail}.
// One line of what runs have taught, from the Action Learned.
export function lesson(of) {
  const within = (value, sigma, decimals) => number(value, decimals) +
    (known(sigma) ? ` ± ${number(sigma, decimals)}` : '');
  const facts = [`${of.camera_name}${of.filter ? `, ${of.filter}` : ''}, binning ${of.binning}`,
    `slope ${within(of.slope_px_per_step, of.slope_sigma, 4)} px a step`,
    `least HFR ${within(of.hfr_min_px, of.hfr_min_sigma_px, 2)} px`];
  if (known(of.asymmetry)) {
    facts.push(`arms differ by ${within(100 * of.asymmetry, 100 * of.asymmetry_sigma)} %`);
  }
  if (of.backlash_steps > 0) {
    facts.push(`backlash of ${number(of.backlash_steps)} steps was seen`);
  }
  if (known(of.best_position)) {
    facts.push(`last good position ${number(of.best_position)}` +
      (known(of.temperature_c) ? ` at ${number(of.temperature_c, 1)} °C` : ''));
  }
  facts.push(`${of.runs} ${of.runs === 1 ? 'run' : 'runs'}, the last ${time(of.date)}`);
  return facts.join(' · ');
}

export function outcome(run) {
  if (run.state === 'running') {
    return {head: '', detail: ''};
  }
  const numbers = run.numbers === 'other' ?
    'These positions are of another calibration: today they are other places.' : '';
  const sizes = [];
  if (known(run.hfr_final_px)) {
    sizes.push(`HFR ${number(run.hfr_final_px, 2)} px` +
      (known(run.hfr_predicted_px) ? `, predicted ${number(run.hfr_predicted_px, 2)} px` : ''));
  }
  if (run.state === 'succeeded') {
    const u = run.uncertainty_steps;
    const decimals = known(u) && u < 1 ? 1 : 0;
    let head = 'It is in focus'; // a check takes one frame and has no curve
    if (known(run.best_position)) {
      head = `Best focus ${number(run.best_position, decimals)}`;
      head += known(u) ? ` ± ${number(u, u < 10 ? 1 : 0)} steps` : ' steps';
    }
    const i = run.interval95_steps;
    const facts = [];
    if (i && known(i[0])) {
      facts.push(`95 %: ${number(i[0], decimals)} to ${number(i[1], decimals)}`);
    }
    facts.push(...sizes);
    if (known(run.critical_focus_zone_steps)) {
      facts.push(`critical focus zone ${number(run.critical_focus_zone_steps)} steps`);
    }
    facts.push(`${run.exposures} exposures in ${duration(run.duration_s)}`);
    if (run.note) {
      facts.push(sentence(run.note));
    }
    if (numbers) {
      facts.push(numbers);
    }
    return {head, detail: facts.join(' · ')};
  }
  const stand = known(run.final_position) ?
    ` The focuser stands at ${number(run.final_position)}.` : '';
  const head = run.state === 'failed' ? 'No focus found' : 'The run was stopped';
  return {head, detail: (sentence(run.reason) || 'No reason was given.') + stand + (numbers ? ` ${numbers}` : '')};
}
