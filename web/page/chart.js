// SPDX-License-Identifier: MIT
// The V-curve: what was measured with its error bars, the fitted hyperbola, the best position with
// its interval.  dygraphs does axes and scaling; the drawing is ours, because its own error bars are
// shaded bands.
import {known, number} from './words.js';

// The legend measures its font by an inline style, which the page's policy forbids; it is not shown
// anyway.
const PLUGINS = window.Dygraph.PLUGINS.filter((plugin) => plugin !== window.Dygraph.Plugins.Legend);
window.Dygraph.PLUGINS = PLUGINS;

const curve = (fit, x) => fit.y0 + Math.hypot(fit.a,
  fit.k * (1 + (x > fit.x0 ? fit.e : -fit.e) / 2) * (x - fit.x0));

export class Chart {
  // place: the element to draw in; readout: where the point under finger or pointer is told.
  constructor(place, readout) {
    this.place = place;
    this.readout = readout;
    this.graph = null;
    this.run = null;
    this.rows = [];
    new ResizeObserver(() => this.resize()).observe(place);
    document.addEventListener('themechange', () => this.draw());
  }

  resize() {
    if (this.graph && this.place.clientWidth > 0) {
      this.graph.resize();
    }
  }

  show(run) {
    this.run = run;
    const points = (run && run.points || []).filter((p) => known(p.position));
    this.rows = points.slice().sort((a, b) => a.position - b.position);
    this.place.dataset.points = String(points.length);
    this.place.dataset.fit = run && run.fit ? 'yes' : 'no';
    this.place.dataset.run = run ? String(run.run) : '';
    this.draw();
  }

  // The window that holds every point, its error bar and the curve's middle.
  ranges() {
    const xs = this.rows.map((p) => p.position);
    for (const extra of [this.run.start_position, this.run.best_position]) {
      if (known(extra)) {
        xs.push(extra);
      }
    }
    const tops = this.rows.filter((p) => known(p.hfr_px)).map((p) => p.hfr_px + (p.error_px || 0));
    const low = Math.min(...xs);
    const high = Math.max(...xs);
    const pad = Math.max((high - low) * 0.07, 5);
    return {dateWindow: [low - pad, high + pad], valueRange: [0, Math.max(...tops, 1) * 1.12]};
  }

  draw() {
    if (!this.run || !this.rows.length) {
      this.place.hidden = true;
      return;
    }
    this.place.hidden = false;
    const style = getComputedStyle(document.documentElement);
    this.color = (name) => style.getPropertyValue(name).trim();
    const options = {
      file: this.rows.map((p) => [p.position, known(p.hfr_px) ? p.hfr_px : null]),
      ...this.ranges(),
      gridLineColor: this.color('--line'),
      axisLineColor: this.color('--line'),
    };
    if (this.graph) {
      this.graph.updateOptions(options);
      return;
    }
    const {file, ...rest} = options;
    this.graph = new window.Dygraph(this.place, file, {
      ...rest,
      labels: ['position', 'HFR'],
      legend: 'never',
      axisLabelFontSize: 13,
      axes: {
        x: {drawGrid: false, pixelsPerLabel: 52, axisLabelFormatter: (x) => number(x)},
        y: {pixelsPerLabel: 36, axisLabelWidth: 34, axisLabelFormatter: (y) => number(y, y % 1 ? 1 : 0)},
      },
      rightGap: 12,
      interactionModel: {},
      highlightCircleSize: 0,
      plotter: (e) => this.plot(e),
      highlightCallback: (event, x, points, row) => this.tell(this.rows[row]),
    });
  }

  tell(p) {
    if (!p) {
      return;
    }
    const size = known(p.hfr_px) ?
      `HFR ${number(p.hfr_px, 2)} ± ${number(p.error_px, 2)} px, ${number(p.stars)} stars` : 'no size';
    const note = p.validation ? ' (check)' : p.used === false ? ` (left out: ${p.why || 'no reason'})` : '';
    this.readout.textContent = `${number(p.position)}: ${size}${note}`;
  }

  plot(e) {
    const c = e.drawingContext;
    const area = e.plotArea;
    const g = e.dygraph;
    c.save();
    this.plotBest(c, g, area);
    this.plotFit(c, g, area);
    this.labels = [];
    const newest = this.run.points[this.run.points.length - 1];
    for (const p of this.rows) {
      this.plotPoint(c, g, area, p, this.run.state === 'running' && p === newest);
    }
    c.restore();
  }

  plotBest(c, g, area) {
    const {best_position: best, interval95_steps: interval, start_position: start} = this.run;
    const vertical = (x, color, dash) => {
      const at = g.toDomXCoord(x);
      c.strokeStyle = color;
      c.setLineDash(dash);
      c.lineWidth = 1.5;
      c.beginPath();
      c.moveTo(at, area.y);
      c.lineTo(at, area.y + area.h);
      c.stroke();
      c.setLineDash([]);
    };
    if (interval && known(interval[0]) && known(interval[1])) {
      const from = g.toDomXCoord(interval[0]);
      const to = g.toDomXCoord(interval[1]);
      c.fillStyle = this.color('--good');
      c.globalAlpha = 0.16;
      c.fillRect(from, area.y, Math.max(to - from, 2), area.h);
      c.globalAlpha = 1;
    }
    if (known(start)) {
      vertical(start, this.color('--line-strong'), [2, 5]);
    }
    if (known(best)) {
      vertical(best, this.color('--good'), [6, 4]);
    }
  }

  plotFit(c, g, area) {
    const fit = this.run.fit;
    if (!fit || ![fit.a, fit.k, fit.x0, fit.y0, fit.e].every(known)) {
      return;
    }
    c.strokeStyle = this.color('--accent');
    c.lineWidth = 2;
    c.globalAlpha = 0.85;
    c.beginPath();
    for (let x = area.x; x <= area.x + area.w; x += 2) {
      const y = g.toDomYCoord(curve(fit, g.toDataXCoord(x)));
      if (x === area.x) {
        c.moveTo(x, y);
      } else {
        c.lineTo(x, y);
      }
    }
    c.stroke();
    c.globalAlpha = 1;
  }

  plotPoint(c, g, area, p, newest) {
    const x = g.toDomXCoord(p.position);
    const measured = known(p.hfr_px);
    const y = measured ? g.toDomYCoord(p.hfr_px) : area.y + area.h - 8;
    const left = p.used === false && !p.validation;
    const color = this.color(p.validation ? '--good' : left ? '--dim' : '--point');
    c.strokeStyle = color;
    c.fillStyle = left ? this.color('--card') : color;
    c.lineWidth = 1.5;
    if (measured && known(p.error_px) && p.error_px > 0) {
      const top = g.toDomYCoord(p.hfr_px + p.error_px);
      const bottom = g.toDomYCoord(Math.max(p.hfr_px - p.error_px, 0));
      c.beginPath();
      for (const [x0, y0, x1, y1] of [[x, top, x, bottom], [x - 4, top, x + 4, top],
        [x - 4, bottom, x + 4, bottom]]) {
        c.moveTo(x0, y0);
        c.lineTo(x1, y1);
      }
      c.stroke();
    }
    c.beginPath();
    if (p.validation) {
      c.moveTo(x, y - 7);
      c.lineTo(x + 7, y);
      c.lineTo(x, y + 7);
      c.lineTo(x - 7, y);
      c.closePath();
    } else {
      c.arc(x, y, newest ? 5.5 : 3.5, 0, 2 * Math.PI);
    }
    c.fill();
    c.stroke();
    if (left) {
      this.plotWhy(c, area, x, y, p.why || 'left out');
    }
  }

  plotWhy(c, area, x, y, why) {
    c.font = '12px system-ui, sans-serif';
    c.fillStyle = this.color('--dim');
    const width = c.measureText(why).width;
    const at = Math.min(Math.max(x - width / 2, area.x + 2), area.x + area.w - width - 2);
    const line = y > area.y + 24 ? y - 12 : y + 20;
    // Neighbours with the same reason share one label.
    if (!this.labels.some((l) => at < l.to + 6 && at + width > l.from - 6 && Math.abs(line - l.line) < 14)) {
      c.fillText(why, at, line);
      this.labels.push({from: at, to: at + width, line});
    }
  }
}
