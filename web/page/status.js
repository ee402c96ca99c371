// SPDX-License-Identifier: MIT
// The status page: listens to /events and hands every state to the card it belongs to.
import {AutofocusCard} from './autofocus.js';
import {CameraCard, Viewer} from './camera.js';
import {FocuserCard} from './focuser.js';
import {GuidedCard} from './guided.js';
import {History, loadRun} from './history.js';
import {Stop} from './stop.js';
import {TRUSTS, link, number, sentence} from './words.js';

// The server says something every 5 s at least.
const QUIET_MS = 12000;
const RECONNECT_MS = 20000;

const $ = (id) => document.getElementById(id);
const focusers = new Map();  // number -> {card, autofocus, guided}
const cameras = new Map();   // number -> CameraCard
const viewer = new Viewer($('viewer'));
let groups = [];             // {key, title, element}
let version = '';
const runs = new Map();        // run id -> focuser number

// ---- building the page from the list of devices ----

function makeGroups(devices) {
  focusers.clear();
  cameras.clear();
  groups = [];
  const wanted = new Map(devices.filter((d) => d.type === 'camera').map((d) => [d.number, d]));
  const group = (key, title, cards) => {
    const element = document.createElement('div');
    element.className = 'group';
    element.id = `group-${key}`;
    element.append(...cards);
    groups.push({key, title, element});
  };
  const camera = (state) => {
    const card = new CameraCard(state, viewer);
    cameras.set(state.number, card);
    wanted.delete(state.number);
    return card.card;
  };
  for (const state of devices.filter((d) => d.type === 'focuser')) {
    const card = new FocuserCard(state);
    const autofocus = new AutofocusCard(card);
    const guided = new GuidedCard(card);
    focusers.set(state.number, {card, autofocus, guided});
    const cards = [card.card, guided.card, autofocus.card];
    if (wanted.has(state.camera)) {
      cards.push(camera(wanted.get(state.camera)));
    }
    autofocus.camera = cameras.get(state.camera) || null;
    guided.camera = autofocus.camera;
    autofocus.news();
    guided.news();
    group(`focuser-${state.number}`, state.name, cards);
  }
  for (const state of [...wanted.values()]) {
    group(`camera-${state.number}`, state.name, [camera(state)]);
  }
  $('groups').replaceChildren(...groups.map((g) => g.element));
  makeTabs();
}

function makeTabs() {
  const tabs = $('tabs');
  tabs.hidden = groups.length < 2;
  tabs.replaceChildren(...groups.map((g) => {
    const tab = document.createElement('button');
    tab.type = 'button';
    tab.setAttribute('role', 'tab');
    tab.setAttribute('aria-controls', g.element.id);
    tab.textContent = g.title;
    tab.addEventListener('click', () => choose(g.key));
    g.tab = tab;
    return tab;
  }));
  if (groups.length) {
    const asked = decodeURIComponent(location.hash.slice(1));
    choose((groups.find((g) => g.key === asked) || groups[0]).key);
  }
}

function choose(key) {
  for (const g of groups) {
    g.element.hidden = g.key !== key;
    g.tab.setAttribute('aria-selected', String(g.key === key));
  }
  if (groups.length > 1) {
    history.replaceState(null, '', `#${key}`);
  }
}

function fits(devices) {
  return devices.length === focusers.size + cameras.size &&
    devices.every((d) => (d.type === 'focuser' ? focusers : cameras).has(d.number));
}

// ---- news ----

function showTab(state) {
  const group = groups.find((g) => g.key === `${state.type}-${state.number}`);
  if (group) {
    group.tab.dataset.link = state.link;
    const settled = state.link !== 'up' || (state.calibration || {}).state === 'running';
    const doubt = settled ? '' : TRUSTS[state.trust];
    group.tab.toggleAttribute('data-doubt', Boolean(doubt));
    group.tab.title = doubt || link(state.link);
  }
}

function showDevice(state) {
  showTab(state);
  if (state.type === 'focuser') {
    const entry = focusers.get(state.number);
    if (entry) {
      entry.card.show(state);
      entry.autofocus.news();
      entry.guided.news();
      stop.news(entry.card);
      if (state.run) {
        runs.set(state.run, state.number);
      }
    }
  } else if (cameras.has(state.number)) {
    cameras.get(state.number).show(state);
    for (const {autofocus, guided} of focusers.values()) {
      autofocus.news();
      guided.news();
    }
  }
}

function showAll(all) {
  if (version && version !== all.server.version) {
    location.reload(); // the server was upgraded under this page
    return;
  }
  version = all.server.version;
  document.title = all.server.name;
  $('server').textContent = all.server.name;
  $('version').textContent = `focusd ${all.server.version}`;
  if (!fits(all.devices)) {
    makeGroups(all.devices);
  }
  all.devices.forEach(showDevice);
  $('waiting').hidden = true;
  $('main').setAttribute('aria-busy', 'false');
  document.querySelector('.history').hidden = focusers.size === 0;
  past.load();
}

// Whose run it is: known from the state while it goes on, else told by the run itself.
function ownerOf(run) {
  if (runs.has(run.run)) {
    return focusers.get(runs.get(run.run));
  }
  for (const [n, entry] of focusers) {
    if (run.focuser === n || run.focuser === entry.card.state.name) {
      return entry;
    }
  }
  return focusers.values().next().value;
}

function showRun(run) {
  const owner = ownerOf(run);
  if (!owner) {
    return;
  }
  const before = owner.autofocus.run;
  owner.autofocus.showRun(run);
  if (before && before.state === 'running' && run.state !== 'running') {
    past.load();
  }
}

const past = new History(document.querySelector('.history'), async (id) => {
  try {
    const run = await loadRun(id);
    const owner = ownerOf(run);
    if (owner) {
      choose(`focuser-${owner.card.device.number}`);
      owner.autofocus.showOld(run.run === (owner.autofocus.run || {}).run ? null : run);
      owner.autofocus.card.scrollIntoView({block: 'start', behavior: 'smooth'});
    }
  } catch (e) {
    note('other', sentence(e.message) || 'The run cannot be read.');
    setTimeout(() => note('other', ''), 8000);
  }
});

// ---- the line to the server ----

let source = null;
let heard = Date.now();
let opened = Date.now();

function listen() {
  if (source) {
    source.close();
  }
  opened = Date.now();
  source = new EventSource('/events');
  const on = (name, show) => source.addEventListener(name, (e) => {
    heard = Date.now();
    show(JSON.parse(e.data));
    tick();
  });
  on('state', showAll);
  on('focuser', showDevice);
  on('camera', showDevice);
  on('run', showRun);
  on('alive', () => {});
  // The browser gives up for good on some failures (a proxy's error page, for one): tick() begins anew.
  source.addEventListener('error', tick);
}

// What the banner says, by who says it: a lost server must not hide that STOP did not arrive.
const notes = new Map();
function note(who, text) {
  if ((notes.get(who) || '') !== text) {
    notes.set(who, text);
    const stops = [...notes.keys()].filter((key) => key.startsWith('stop'));
    const all = [...stops, 'news', 'other'].map((key) => notes.get(key)).filter(Boolean).join(' ');
    $('banner').textContent = all;
    $('banner').hidden = all === '';
  }
}

function tick() {
  const quiet = Date.now() - heard;
  const broken = source.readyState !== EventSource.OPEN && quiet > 2500;
  const lost = broken || quiet > QUIET_MS;
  document.body.classList.toggle('lost', lost);
  const news = $('news');
  news.dataset.state = lost ? 'lost' : 'live';
  news.textContent = lost ? 'no news' : 'live';
  note('news', lost ? `No news from the server for ${number(quiet / 1000)} s. ` +
    'What is shown is old. Trying to reach it again …' : '');
  const dead = source.readyState === EventSource.CLOSED || quiet > QUIET_MS;
  if (dead && Date.now() - opened > (quiet > RECONNECT_MS ? 5000 : 3000)) {
    listen();
  }
}

setInterval(tick, 1000);
// A phone that slept has missed news without an error.
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible' && Date.now() - heard > QUIET_MS / 2) {
    listen();
  }
});

const stop = new Stop($('stop'), focusers, cameras, note);
$('address').textContent = location.host;
listen();
tick();
