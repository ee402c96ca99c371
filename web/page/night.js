// SPDX-License-Identifier: MIT
// Night (red) mode, remembered in this browser.  Loaded in the head of every page, before anything is
// painted, so that a dark-adapted eye never sees the other colours.
(function () {
  'use strict';
  const root = document.documentElement;
  let night = false;
  try {
    night = localStorage.getItem('focusd.night') === '1';
  } catch (e) {
    // Storage may be forbidden: then the choice lasts as long as the page.
  }
  const show = () => {
    root.classList.toggle('night', night);
    const button = document.getElementById('night');
    if (button) {
      button.setAttribute('aria-pressed', String(night));
    }
  };
  show();
  document.addEventListener('DOMContentLoaded', () => {
    show();
    document.getElementById('night').addEventListener('click', () => {
      night = !night;
      try {
        localStorage.setItem('focusd.night', night ? '1' : '0');
      } catch (e) {
        // Storage may be forbidden here, too.
      }
      show();
      document.dispatchEvent(new Event('themechange'));
    });
  });
})();
