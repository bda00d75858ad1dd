// Draws the answer: headline, bars, the last minute, what each sense says.

import { SENSES, answerOf, senseOf } from "./answer.js";

const MINUTE = 60_000;
const WIDTH = 600;
const HEIGHT = 180;
const COLORS = { neutral: 0, happy: 1, sad: 2, angry: 3, fearful: 4, disgust: 5, surprised: 6 };
const $ = (id) => document.getElementById(id);

export class View {
  constructor() {
    this.labels = [];
    this.past = [];
  }

  /** Begin with nothing: every label at nothing, and what to do. */
  begin(labels) {
    this.past = [];
    if (labels.join() !== this.labels.join()) {
      this.labels = labels;
      $("bars").replaceChildren(...labels.map(bar));
      $("past").replaceChildren(...labels.map(line));
    }
    $("senses").replaceChildren(...Object.entries(SENSES).flatMap(sense));
    $("past-empty").hidden = false;
    this.answer({ label: null, probabilities: null, reason: "Look at the camera and say a sentence or two: the first answer follows within seconds." }, "Listening");
    this.draw(performance.now());
  }

  show(decision) {
    const now = performance.now();
    const answer = answerOf(decision);
    this.answer(answer, "No emotion is named");
    for (const modality of Object.keys(SENSES)) this.sense(modality, senseOf(decision, modality, answer.label));
    this.past.push({ time: now, probabilities: answer.probabilities });
    this.past = this.past.filter((moment) => now - moment.time <= MINUTE);
    $("past-empty").hidden = this.past.some((moment) => moment.probabilities);
    this.draw(now, answer.label);
  }

  answer({ label, probabilities, reason }, none) {
    // A screen reader speaks what changes: the label alone, and only when it is another.
    const text = label || none;
    if ($("answer").textContent !== text) $("answer").textContent = text;
    $("kicker").textContent = label ? "You come across as" : "Not sure yet";
    $("reason").textContent = reason;
    this.labels.forEach((name, index) => {
      const item = $("bars").children[index];
      const share = probabilities ? Math.round(100 * probabilities[name]) : 0;
      item.dataset.first = String(name === label);
      item.querySelector(".fill").style.width = share + "%";
      item.querySelector(".value").textContent = probabilities ? share + " %" : "–";
    });
  }

  sense(modality, { lean, word, detail }) {
    $("sense-" + modality).textContent = word;
    $("detail-" + modality).textContent = detail;
    const mark = $("lean-" + modality);
    mark.style.left = (lean < 0 ? 50 + 50 * lean : 50) + "%";
    mark.style.width = 50 * Math.abs(lean) + "%";
  }

  draw(now, label = null) {
    this.labels.forEach((name, index) => {
      // A gap where there was no answer: a line through it would invent one.
      let pen = "M";
      const path = this.past.map(({ time, probabilities }) => {
        if (!probabilities) { pen = "M"; return ""; }
        const x = WIDTH * (1 - (now - time) / MINUTE);
        const step = `${pen}${x.toFixed(1)} ${(HEIGHT * (1 - probabilities[name])).toFixed(1)}`;
        pen = "L";
        return step;
      });
      const drawn = $("past").children[index];
      drawn.setAttribute("d", path.join(""));
      drawn.dataset.first = String(name === label);
    });
    const spoken = this.past.filter((m) => m.probabilities).length;
    $("past").setAttribute("aria-label", spoken ? `${spoken} answers in the last minute; now ${label || "none"}` : "Nothing yet");
  }
}

function color(name, index) {
  return `var(--c${name in COLORS ? COLORS[name] : index % 8})`;
}

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

function bar(name, index) {
  const item = element("li");
  const track = element("span", "track");
  const fill = element("span", "fill");
  track.setAttribute("aria-hidden", "true");
  fill.style.display = "block";
  fill.style.setProperty("--color", color(name, index));
  track.append(fill);
  item.append(element("span", "name", name), track, element("span", "value", "–"));
  return item;
}

function line(name, index) {
  const drawn = document.createElementNS("http://www.w3.org/2000/svg", "path");
  drawn.style.stroke = color(name, index);
  return drawn;
}

function sense([modality, title]) {
  const term = element("dt", "", title);
  const word = element("span", "", "waiting");
  word.id = "sense-" + modality;
  term.append(word);
  const description = element("dd");
  const track = element("div", "lean");
  track.setAttribute("aria-hidden", "true");
  const mark = element("i");
  mark.id = "lean-" + modality;
  track.append(mark);
  const detail = element("p");
  detail.id = "detail-" + modality;
  description.append(track, detail);
  return [term, description];
}
