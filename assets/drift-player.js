/* The moving map of a drift: every neuron in every checkpoint, drawn on a canvas from bytes that came once.

   new DriftPlayer(place, buffer, hooks) fills an element. `hooks` are told what happens: passed(checkpoint) while it
   moves, rested(checkpoint) when it stands still, picked(row) of a neuron that was pressed, painted(hue) when it is
   coloured by something else. What the bytes hold says neuronscope/figures/animation.py. It needs nothing but this file
   and its styles. */
(() => {
  "use strict";
  const NEVER = -32768;
  const SECONDS = 1.4; /* from one checkpoint to the next, at speed 1 */
  const LEVELS = 48, PHASES = 4; /* sizes of a point, and places between two pixels, either way */
  const NAMED = 8, TRAIL = 3; /* so many movers have a name, and a trail so many checkpoints long */
  const MARGIN = { left: 30, right: 16, top: 14, bottom: 28 };
  const PARTS = ["location", "scale", "selectivity"];
  const KINDS = {
    part: { title: "what changed most", names: ["within noise", ...PARTS] },
    noise: { title: "above noise", names: ["within noise", "above noise"] },
    layer: { title: "layer", names: null },
  };
  const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

  function read(buffer) {
    const size = new DataView(buffer).getUint32(0, true);
    const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size)));
    const frames = head.checkpoints.length, units = head.layers * head.neurons, moved = (frames - 1) * units;
    let at = 4 + size;
    const take = (Kind, count) => {
      const found = new Kind(buffer, at, count);
      at += found.byteLength;
      return found;
    };
    const arrays = { places: take(Int16Array, frames * units * 2), roots: take(Uint16Array, moved) };
    arrays.location = take(Uint8Array, moved);
    arrays.scale = take(Uint8Array, moved);
    arrays.above = take(Uint8Array, Math.ceil(moved / 8));
    return { ...head, ...arrays, frames, units };
  }

  /* What is known of one neuron in one checkpoint. */
  function facts(data, frame, row) {
    if (!frame) return { drift: 0, shares: [0, 0, 0], above: false };
    const at = (frame - 1) * data.units + row;
    const location = data.location[at] / 255, scale = data.scale[at] / 255;
    const shares = [location, scale, Math.max(0, 1 - location - scale)];
    return { drift: 2 * (data.roots[at] / 65535) ** 2, shares, above: Boolean((data.above[at >> 3] >> (at & 7)) & 1) };
  }

  const nameOf = (data, row) => `L${Math.floor(row / data.neurons)}.N${row % data.neurons}`;
  const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
  const three = (value) => Number(value.toPrecision(3)).toString();

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
    element.append(...children);
    return element;
  }

  const SHAPES = { play: "M4 2.5v11l9-5.5z", pause: "M4 2.5h3v11H4zM9 2.5h3v11H9z", back: "M12 3v10L5 8zM3 3h2v10H3z", forward: "M4 3v10l7-5zM11 3h2v10h-2z" };
  function symbol(name) {
    const space = "http://www.w3.org/2000/svg";
    const drawing = document.createElementNS(space, "svg"), path = document.createElementNS(space, "path");
    Object.entries({ viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }).forEach((pair) => drawing.setAttribute(...pair));
    path.setAttribute("d", SHAPES[name]);
    path.setAttribute("fill", "currentColor");
    drawing.append(path);
    return drawing;
  }

  class DriftPlayer {
    constructor(place, buffer, hooks = {}) {
      this.data = read(buffer);
      this.place = place;
      this.hooks = hooks;
      this.time = this.target = this.passed = 0;
      this.hue = "part";
      this.layers = null;
      this.chosen = null;
      this.speed = 1;
      this.masks = [];
      this.kinds = { part: [], noise: [], layer: [] };
      this.orders = [];
      this.sides = new Map();
      this.at = new Float32Array(this.data.units * 2);
      this.build();
      this.watch();
      this.colour();
      this.size();
      this.say();
      place.player = this;
    }

    /* The controls and the canvas */
    build() {
      const { checkpoints, frames } = this.data;
      const button = (name, words, act, key) => {
        const made = make("button", { type: "button", class: "press outlined", "aria-label": words, title: words, ...(key ? { "data-key": key } : {}) }, symbol(name));
        made.addEventListener("click", act);
        return made;
      };
      this.playButton = button("play", "Play (space)", () => this.toggle());
      const back = button("back", "One checkpoint back (←)", () => this.step(-1), "ArrowLeft");
      const forward = button("forward", "One checkpoint on (→)", () => this.step(1), "ArrowRight");
      this.slider = make("input", { type: "range", min: 0, max: frames - 1, step: "any", value: 0, "aria-label": "Checkpoint" });
      this.slider.addEventListener("input", () => this.drag(Number(this.slider.value)));
      this.slider.addEventListener("change", () => this.go(Math.round(this.time)));
      const ticks = checkpoints.map((label, i) => {
        const tick = make("span", { style: `left: ${(100 * i) / Math.max(frames - 1, 1)}%`, title: label }, make("bdi", {}, label));
        tick.addEventListener("click", () => this.go(i));
        return tick;
      });
      const few = Math.ceil(frames / 8);
      const shown = ticks.filter((_tick, i) => i % few === 0 || i === frames - 1);
      this.speeds = make("select", { "aria-label": "Speed" }, ...[0.5, 1, 2, 4].map((one) => make("option", { value: one }, `${one}×`)));
      this.speeds.value = "1";
      this.speeds.addEventListener("change", () => (this.speed = Number(this.speeds.value)));
      this.hues = make("select", { "aria-label": "Colour by" }, ...Object.entries(KINDS).map(([name, { title }]) => make("option", { value: name }, title)));
      this.hues.addEventListener("change", () => {
        this.paint(this.hues.value);
        this.hooks.painted?.(this.hue);
      });
      const colour = make("label", {}, "Colour by ", this.hues);
      this.name = make("output", { class: "drift-name" });
      const track = make("div", { class: "drift-track" }, this.slider, make("div", { class: "drift-ticks", "aria-hidden": "true" }, ...shown));
      const steps = make("div", { class: "drift-steps" }, back, this.playButton, forward);
      this.canvas = make("canvas", { tabindex: 0, role: "img" });
      this.card = make("div", { class: "drift-hover", hidden: "" });
      this.screen = make("div", { class: "drift-screen" }, this.canvas, this.card);
      this.legend = make("div", { class: "drift-legend" });
      const controls = make("div", { class: "drift-controls" }, steps, track, make("label", {}, "Speed ", this.speeds));
      const above = make("div", { class: "drift-above" }, this.name, colour);
      const below = make("p", { class: "caption drift-facts" });
      this.below = below;
      this.place.replaceChildren(above, this.screen, this.legend, controls, below);
    }

    watch() {
      this.sized = new ResizeObserver(() => this.size());
      this.sized.observe(this.screen);
      this.themed = new MutationObserver(() => this.colour());
      this.themed.observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
      this.canvas.addEventListener("pointermove", (event) => this.point(event));
      this.canvas.addEventListener("pointerleave", () => this.hover(null));
      this.canvas.addEventListener("click", (event) => this.pick(this.nearest(event)));
      this.place.addEventListener("keydown", (event) => this.key(event));
    }

    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select")) return;
      const acts = { ArrowLeft: () => this.step(-1), ArrowRight: () => this.step(1), Home: () => this.go(0), End: () => this.go(this.data.frames - 1) };
      if (!event.target.matches("button")) acts[" "] = () => this.toggle();
      if (!acts[event.key]) return;
      event.preventDefault();
      acts[event.key]();
    }

    close() {
      cancelAnimationFrame(this.asked);
      this.sized.disconnect();
      this.themed.disconnect();
      this.closed = true;
    }

    /* Where it stands, and how it gets on */
    get frame() {
      return Math.round(this.time);
    }

    get playing() {
      return this.target > this.data.frames - 1;
    }

    toggle() {
      if (this.playing) return this.go(Math.min(Math.ceil(this.time), this.data.frames - 1));
      if (this.time > this.data.frames - 1.001) this.time = 0;
      this.target = this.data.frames; // beyond the last: it goes on to the end
      this.run();
    }

    step(by) {
      const from = this.running && !this.playing ? this.target : by > 0 ? Math.floor(this.time + 0.001) : Math.ceil(this.time - 0.001);
      this.go(from + by);
    }

    go(frame) {
      this.target = Math.max(0, Math.min(frame, this.data.frames - 1));
      this.run();
    }

    drag(time) {
      this.halt();
      this.time = this.target = time;
      this.show();
    }

    /* Stand there from the first. */
    begin(frame) {
      this.begun = true;
      this.time = this.target = Math.max(0, Math.min(frame, this.data.frames - 1));
      this.show();
    }

    /* Go there without telling anyone: the page already knows. */
    set(frame) {
      if (this.running || frame === this.frame) return;
      this.told = frame;
      this.go(frame);
    }

    run() {
      const ran = this.running;
      this.running = true;
      this.mark();
      if (ran) return;
      this.before = null;
      this.asked = requestAnimationFrame((now) => this.tick(now));
    }

    halt() {
      cancelAnimationFrame(this.asked);
      this.running = false;
      this.mark();
    }

    tick(now) {
      const passed = this.before === null ? 0 : Math.min(now - this.before, 100) / 1000;
      const last = this.data.frames - 1, end = Math.min(this.target, last);
      if (still()) this.leap(now, end);
      else {
        const far = this.playing ? 1 : Math.max(1, Math.abs(end - this.time) * 2);
        const by = (passed * this.speed * far) / (this.playing ? SECONDS : SECONDS / 2.5);
        this.time += Math.sign(end - this.time) * Math.min(by, Math.abs(end - this.time));
        this.before = now;
      }
      this.show();
      if (Math.abs(this.time - end) > 1e-6) this.asked = requestAnimationFrame((next) => this.tick(next));
      else this.rest(end);
    }

    /* Without motion: from checkpoint to checkpoint at once; when it plays, each stands for a while. */
    leap(now, end) {
      if (!this.playing) this.time = end;
      else if (this.before === null || now - this.before > (1000 * SECONDS) / this.speed) {
        this.time = this.before === null ? this.time : Math.min(Math.round(this.time) + 1, end);
        this.before = now;
      }
    }

    rest(end) {
      this.time = this.target = end;
      this.halt();
      this.show();
      if (end !== this.told) this.hooks.rested?.(end);
      this.told = null;
    }

    /* What is drawn, at which colours and sizes */
    paint(hue) {
      if (hue === this.hue) return;
      this.hue = hue;
      this.hues.value = hue;
      this.colour();
    }

    narrow(layers) {
      const wanted = layers?.length ? new Set(layers) : null;
      if (JSON.stringify([...(wanted ?? [])]) === JSON.stringify([...(this.layers ?? [])])) return;
      this.layers = wanted;
      this.show();
    }

    choose(row) {
      if (row === this.chosen) return;
      this.chosen = row;
      this.show();
    }

    colour() {
      const mode = document.documentElement.dataset.bsTheme === "dark" ? "dark" : "light";
      const own = (this.colours = this.data.colours[mode]);
      const lists = {
        part: [own.quiet, ...PARTS.map((part) => own.parts[part])],
        noise: [own.quiet, own.above],
        layer: own.layers,
      };
      const brush = document.createElement("canvas").getContext("2d");
      const numbers = (colour) => {
        brush.fillStyle = colour;
        const hex = parseInt(brush.fillStyle.slice(1), 16);
        return [hex >> 16, (hex >> 8) & 255, hex & 255];
      };
      this.shades = lists[this.hue];
      this.rgb = this.shades.map(numbers);
      this.ground = numbers(own.paper);
      this.faint = numbers(own.quiet);
      this.said = null;
      this.show();
    }

    size() {
      const { clientWidth: width, clientHeight: height } = this.screen;
      if (!width || !height) return;
      const ratio = Math.min(window.devicePixelRatio || 1, 3);
      this.ratio = ratio;
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
      this.brush = this.canvas.getContext("2d", { willReadFrequently: true });
      this.image = this.brush.createImageData(this.canvas.width, this.canvas.height);
      this.masks = [];
      this.show();
    }

    /* What each neuron is coloured as in a checkpoint: a place in `shades`. */
    kindsOf(frame) {
      const held = this.kinds[this.hue], { data } = this;
      if (held[frame]) return held[frame];
      const found = new Uint8Array(data.units);
      for (let row = 0; row < data.units; row++) {
        if (this.hue === "layer") {
          found[row] = Math.floor(row / data.neurons);
          continue;
        }
        const at = (frame - 1) * data.units + row;
        if (!frame || !((data.above[at >> 3] >> (at & 7)) & 1)) continue;
        const location = data.location[at], scale = data.scale[at], rest = 255 - location - scale;
        found[row] = this.hue === "noise" ? 1 : rest >= location && rest >= scale ? 3 : scale > location ? 2 : 1;
      }
      return (held[frame] = found);
    }

    /* The neurons of a checkpoint that ever vary, those that drifted least first: what changed most lies on top. */
    orderOf(frame) {
      if (this.orders[frame]) return this.orders[frame];
      const { places, roots, units } = this.data, from = (Math.max(frame, 1) - 1) * units;
      const rows = [];
      for (let row = 0; row < units; row++) if (places[2 * row] !== NEVER) rows.push(row);
      const found = Uint32Array.from(rows);
      if (this.data.frames > 1) found.sort((a, b) => roots[from + a] - roots[from + b]);
      return (this.orders[frame] = found);
    }

    /* Which pixels a point covers and how much of each, for its size and its place between two pixels. */
    mask(level, phase) {
      const radius = this.radius(level / (LEVELS - 1)) * this.ratio, reach = Math.ceil(radius + 1);
      const dx = (phase % PHASES) / PHASES, dy = Math.floor(phase / PHASES) / PHASES;
      const offsets = [], cover = [];
      for (let y = -reach; y <= reach; y++)
        for (let x = -reach; x <= reach; x++) {
          const part = Math.max(0, Math.min(1, radius + 0.5 - Math.hypot(x - dx, y - dy)));
          if (part > 0.02) offsets.push(4 * (y * this.canvas.width + x)), cover.push(Math.round(256 * part));
        }
      const found = { reach, offsets: Int32Array.from(offsets), cover: Int32Array.from(cover) };
      return (this.masks[level * PHASES * PHASES + phase] = found);
    }

    /* Radius in CSS pixels by sqrt(D / 2): the area grows as D does. */
    radius(root) {
      const { units } = this.data;
      const least = units < 3000 ? 1.7 : units < 12000 ? 1.25 : 0.8;
      return least + (units < 12000 ? 6.5 : 5) * root;
    }

    show() {
      if (!this.brush || !this.ground || this.closed) return;
      this.draw(this.time);
      const frame = this.frame;
      if (document.activeElement !== this.slider || this.running) this.slider.value = this.time;
      if (frame !== this.passed || this.said === null) {
        this.passed = frame;
        this.say();
        this.hooks.passed?.(frame);
      }
      if (this.over !== null && this.over !== undefined) this.hover(this.over);
    }

    draw(time) {
      const { data, brush, image, canvas } = this;
      const from = Math.min(Math.floor(time), data.frames - 1), to = Math.min(from + 1, data.frames - 1);
      const part = this.eased(time - from);
      new Uint32Array(image.data.buffer).fill(pixel(this.ground));
      this.drawn = this.points(from, to, part);
      brush.putImageData(image, 0, 0);
      brush.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
      this.axes();
      const movers = this.movers(part < 0.5 ? from : to);
      movers.forEach(([row]) => this.trail(row, time, TRAIL));
      if (this.chosen !== null) this.ring(time);
      this.labels(movers);
      brush.setTransform(1, 0, 0, 1, 0, 0);
      return canvas;
    }

    eased(part) {
      return part * part * (3 - 2 * part);
    }

    /* Every neuron as a disc, blended into the picture by hand: of tens of thousands this is several times faster than
       the canvas' own shapes. The place of each on the screen is kept for the pointer. */
    points(from, to, part) {
      const { places, roots, units, neurons } = this.data, { at, layers, faint, hue } = this;
      const { width, height } = this.canvas, pixels = this.image.data, order = this.orderOf(part < 0.5 ? from : to);
      const a = this.kindsOf(from), b = this.kindsOf(to), colours = this.mixed(part), kinds = this.rgb.length;
      const before = (from - 1) * units, after = (to - 1) * units, sizes = (LEVELS - 1) / 65535;
      const [left, top, half, tall] = this.window();
      for (let i = 0; i < order.length; i++) {
        const row = order[i], one = 2 * (from * units + row), other = 2 * (to * units + row);
        const x = left + half * (1 + (places[one] + (places[other] - places[one]) * part) / 32767);
        const y = top + tall * (1 - (places[one + 1] + (places[other + 1] - places[one + 1]) * part) / 32767);
        at[2 * row] = x;
        at[2 * row + 1] = y;
        const was = from ? roots[before + row] : 0, is = to ? roots[after + row] : 0;
        const level = Math.round((was + (is - was) * part) * sizes), px = x | 0, py = y | 0;
        const phase = (((y - py) * PHASES) | 0) * PHASES + (((x - px) * PHASES) | 0);
        const mask = this.masks[level * PHASES * PHASES + phase] ?? this.mask(level, phase);
        const { reach, offsets, cover } = mask;
        if (px < reach || py < reach || px >= width - reach || py >= height - reach) continue;
        const aside = layers !== null && !layers.has((row / neurons) | 0);
        const colour = aside ? faint : hue === "layer" ? this.rgb[a[row]] : colours[a[row] * kinds + b[row]];
        const red = colour[0], green = colour[1], blue = colour[2];
        const strength = aside ? 46 : hue !== "layer" && !a[row] && !b[row] ? 120 : 205;
        const start = 4 * (py * width + px);
        for (let j = 0; j < offsets.length; j++) {
          const p = start + offsets[j], share = (cover[j] * strength) >> 8;
          pixels[p] += ((red - pixels[p]) * share) >> 8;
          pixels[p + 1] += ((green - pixels[p + 1]) * share) >> 8;
          pixels[p + 2] += ((blue - pixels[p + 2]) * share) >> 8;
        }
      }
      return order.length;
    }

    /* The colours between any two, for neurons that another part of drift takes over. */
    mixed(part) {
      if (this.hue === "layer") return [];
      return this.rgb.flatMap((a) => this.rgb.map((b) => a.map((one, i) => Math.round(one + (b[i] - one) * part))));
    }

    /* Left, top, and half the width and height of the place for points, in pixels of the canvas. */
    window() {
      const { width, height } = this.canvas, { ratio } = this, room = 9;
      const half = (width - (MARGIN.left + MARGIN.right + 2 * room) * ratio) / 2;
      const tall = (height - (MARGIN.top + MARGIN.bottom + 2 * room) * ratio) / 2;
      return [(MARGIN.left + room) * ratio, (MARGIN.top + room) * ratio, half, tall];
    }

    placeOf(row, time) {
      const { places, units, frames } = this.data;
      const from = Math.min(Math.floor(time), frames - 1), to = Math.min(from + 1, frames - 1), part = this.eased(time - from);
      const [left, top, half, tall] = this.window(), one = 2 * (from * units + row), other = 2 * (to * units + row);
      const between = (i) => (places[one + i] + (places[other + i] - places[one + i]) * part) / 32767;
      return [(left + half * (1 + between(0))) / this.ratio, (top + tall * (1 - between(1))) / this.ratio];
    }

    varies(row) {
      return this.data.places[2 * row] !== NEVER;
    }

    axes() {
      const { brush, data, ratio } = this, width = this.canvas.width / ratio, height = this.canvas.height / ratio;
      const said = data.explained.map((share, i) => `PC${i + 1}, ${(100 * share).toFixed(1)} % of variance`);
      brush.fillStyle = this.colours.muted;
      brush.font = `11px ${getComputedStyle(this.place).fontFamily}`;
      brush.textAlign = "center";
      brush.textBaseline = "bottom";
      brush.fillText(said[0], (width + MARGIN.left) / 2, height - 6);
      brush.save();
      brush.translate(18, height / 2);
      brush.rotate(-Math.PI / 2);
      brush.fillText(said[1], 0, 0);
      brush.restore();
    }

    movers(frame) {
      const inside = ([row]) => this.varies(row) && (!this.layers || this.layers.has(Math.floor(row / this.data.neurons)));
      return this.data.movers[frame].filter(inside).slice(0, NAMED);
    }

    trail(row, time, length, colour = this.colourOf(row)) {
      const { brush } = this, first = Math.max(0, time - length), pieces = 8 * Math.ceil(time - first);
      brush.lineCap = "round";
      brush.strokeStyle = colour;
      for (let i = 0; i < pieces; i++) {
        const ends = [i, i + 1].map((one) => first + ((time - first) * one) / pieces);
        brush.globalAlpha = 0.08 + (0.62 * (i + 1)) / pieces;
        brush.lineWidth = 0.6 + (1.6 * (i + 1)) / pieces;
        brush.beginPath();
        brush.moveTo(...this.placeOf(row, ends[0]));
        brush.lineTo(...this.placeOf(row, ends[1]));
        brush.stroke();
      }
      brush.globalAlpha = 1;
    }

    colourOf(row) {
      return this.shades[this.kindsOf(Math.min(Math.ceil(this.time), this.data.frames - 1))[row]];
    }

    ring(time) {
      if (!this.varies(this.chosen)) return;
      this.trail(this.chosen, time, this.data.frames, this.colours.accent);
      const { brush } = this, [x, y] = this.placeOf(this.chosen, time);
      brush.strokeStyle = this.colours.accent;
      brush.lineWidth = 2;
      brush.beginPath();
      brush.arc(x, y, 9, 0, 2 * Math.PI);
      brush.stroke();
    }

    /* Names beside the movers, each on the side where it was before if there is room, and left out where there is none. */
    labels(movers) {
      const { brush, colours } = this, taken = [];
      const named = movers.map(([row, tokens]) => [row, tokens ? `${nameOf(this.data, row)}  ${tokens}` : nameOf(this.data, row)]);
      if (this.chosen !== null && this.varies(this.chosen) && !movers.some(([row]) => row === this.chosen)) {
        named.unshift([this.chosen, nameOf(this.data, this.chosen)]);
      }
      brush.font = `600 11px ${getComputedStyle(this.place).fontFamily}`;
      brush.textAlign = "left";
      brush.textBaseline = "middle";
      brush.lineJoin = "round";
      for (const [row, said] of named) {
        const [x, y] = this.placeOf(row, this.time), wide = brush.measureText(said).width;
        const boxes = [[x + 11, y - 7], [x - 11 - wide, y - 7], [x - wide / 2, y - 24], [x - wide / 2, y + 10]];
        const preferred = this.sides.get(row) ?? 0;
        const free = (side) => this.free(boxes[side], wide, taken);
        const side = [preferred, 0, 1, 2, 3].find(free);
        if (side === undefined) continue;
        this.sides.set(row, side);
        const [left, top] = boxes[side];
        taken.push([left, top, left + wide, top + 14]);
        brush.strokeStyle = colours.paper;
        brush.lineWidth = 4;
        brush.globalAlpha = 0.85;
        brush.strokeText(said, left, top + 7);
        brush.globalAlpha = 1;
        brush.fillStyle = row === this.chosen ? colours.accent : colours.ink;
        brush.fillText(said, left, top + 7);
      }
    }

    free([left, top], wide, taken) {
      const right = left + wide, bottom = top + 14;
      if (left < 2 || top < 2 || right > this.canvas.width / this.ratio - 2 || bottom > this.canvas.height / this.ratio - 2) return false;
      return !taken.some(([l, t, r, b]) => left < r + 4 && right > l - 4 && top < b && bottom > t);
    }

    /* What stands under the pointer */
    nearest(event) {
      const { left, top } = this.canvas.getBoundingClientRect(), { at, ratio, data } = this;
      const x = (event.clientX - left) * ratio, y = (event.clientY - top) * ratio;
      let best = null, least = (12 * ratio) ** 2;
      for (let row = 0; row < data.units; row++) {
        if (!this.varies(row) || (this.layers && !this.layers.has(Math.floor(row / data.neurons)))) continue;
        const far = (at[2 * row] - x) ** 2 + (at[2 * row + 1] - y) ** 2;
        if (far <= least) [best, least] = [row, far];
      }
      return best;
    }

    point(event) {
      this.hover(this.nearest(event));
    }

    hover(row) {
      this.over = row;
      this.card.hidden = row === null;
      this.canvas.style.cursor = row === null ? "default" : "pointer";
      if (row === null) return;
      const { drift, shares, above } = facts(this.data, this.frame, row);
      const [x, y] = this.placeOf(row, this.time), width = this.canvas.width / this.ratio;
      const lines = [
        make("strong", {}, nameOf(this.data, row)),
        make("span", {}, `D ${three(drift)}${this.frame ? (above ? ", above noise" : ", within noise") : ", the base itself"}`),
        ...(drift ? PARTS.map((part, i) => make("span", {}, make("i", { style: `background: ${this.colours.parts[part]}` }), `${part} ${Math.round(100 * shares[i])} %`)) : []),
      ];
      this.card.replaceChildren(...lines);
      this.card.style.top = `${Math.max(4, y - 20)}px`;
      this.card.style.left = x > width * 0.7 ? "auto" : `${x + 16}px`;
      this.card.style.right = x > width * 0.7 ? `${width - x + 16}px` : "auto";
    }

    pick(row) {
      if (row === null) return;
      this.choose(row);
      this.hooks.picked?.(row);
    }

    /* What is said beside it */
    say() {
      const { data } = this, frame = this.frame, label = data.checkpoints[frame], loss = data.losses[frame];
      const more = `${frame} of ${data.frames - 1}${loss === null ? "" : `, loss ${loss.toFixed(3)} nats`}`;
      this.said = label;
      this.name.replaceChildren(make("strong", {}, make("bdi", {}, label)), make("span", { class: "caption" }, frame ? more : `the base${loss === null ? "" : `, loss ${loss.toFixed(3)} nats`}`));
      this.slider.setAttribute("aria-valuetext", label);
      const alive = this.orderOf(0).length, dead = data.units - alive;
      this.canvas.setAttribute("aria-label", `${plural(alive, "neuron")} of ${data.model} in ${label}, near those that do the same`);
      const never = dead ? `; ${plural(dead, "neuron")} that never ${dead === 1 ? "varies" : "vary"} not shown` : "";
      this.below.textContent = `${plural(alive, "neuron")} of ${data.model}${never} · one projection for all checkpoints · area by D · ${data.facts}`;
      this.legend.replaceChildren(...this.legends(frame));
    }

    legends(frame) {
      const { names } = KINDS[this.hue];
      if (!names) {
        const steps = this.shades.map((colour) => make("i", { style: `background: ${colour}` }));
        return [make("span", { class: "drift-ramp" }, "layer 0", make("b", {}, ...steps), String(this.data.layers - 1))];
      }
      const counts = new Array(names.length).fill(0), kinds = this.kindsOf(frame);
      for (const row of this.orderOf(frame)) counts[kinds[row]]++;
      return names.map((name, i) => make("span", {}, make("i", { style: `background: ${this.shades[i]}` }), `${name} ${counts[i].toLocaleString("en")}`)).reverse();
    }

    mark() {
      const playing = this.running && this.playing;
      if (playing === this.marked) return;
      this.marked = playing;
      this.playButton.replaceChildren(symbol(playing ? "pause" : "play"));
      const words = playing ? "Pause (space)" : "Play (space)";
      this.playButton.setAttribute("aria-label", words);
      this.playButton.title = words;
    }
  }

  const pixel = ([red, green, blue]) => (255 << 24) | (blue << 16) | (green << 8) | red;
  window.DriftPlayer = DriftPlayer;
})();
