// What the page does when: it asks, and only then listens and looks; it stops when it is told to, or
// when nobody has been there for a while: whoever comes next has not agreed.

import { Capture } from "./capture.js";
import { Link } from "./link.js";
import { View } from "./view.js";

const NOBODY = 60_000;
const $ = (id) => document.getElementById(id);
const view = new View();
let capture = null;
let link = null;
let somebody = 0;

function enter(state, why = "") {
  document.documentElement.dataset.state = state;
  for (const id of ["asking", "declined", "live"]) $(id).hidden = id !== state;
  $("banner").hidden = state !== "live";
  $("why").textContent = why;
  document.querySelector(`#${state} h1`).focus();
}

async function begin() {
  $("agree").disabled = true;
  const opened = new Capture($("mirror"));
  try {
    await opened.open();
  } catch (error) {
    opened.close();
    enter("asking", error.message);
    return;
  } finally {
    $("agree").disabled = false;
  }
  capture = opened;
  $("mirror").hidden = !capture.hasPictures;
  $("no-camera").hidden = capture.hasPictures;
  view.begin(view.labels);
  enter("live");
  somebody = performance.now();
  link = new Link(capture.sampleRate, { ready, decision, state });
}

function ready({ labels, pictures_per_second: rate }) {
  view.begin(labels);
  state("listening", false);
  capture.begin((time, samples) => link.sound(time, samples), (time, jpeg) => link.picture(time, jpeg), rate);
}

function decision(message) {
  if (!capture) return;
  view.show(message);
  const { latency_ms: latency, health } = message.live;
  const late = latency === null ? "" : `answers ${Math.round(latency)} ms after the fact`;
  state([late, health.load].filter(Boolean).join("; ") || "listening", false);
  const { audio, video } = message.modalities;
  if (audio.present || video.present) somebody = performance.now();
  else if (performance.now() - somebody > NOBODY) stop("It stopped by itself: nobody was there.");
}

function state(text, lost) {
  document.documentElement.dataset.link = lost ? "lost" : "held";
  if ($("state").textContent !== text) $("state").textContent = text;
}

function stop(why = "Stopped. Microphone and camera are off.") {
  link?.close();
  capture?.close();
  link = capture = null;
  enter("asking", why);
}

$("host").textContent = location.hostname === "localhost" ? "this computer" : location.host;
$("agree").addEventListener("click", begin);
$("decline").addEventListener("click", () => enter("declined"));
$("again").addEventListener("click", () => enter("asking"));
$("stop").addEventListener("click", () => stop());
addEventListener("keydown", ({ key }) => { if (key === "Escape" && link) stop(); });
addEventListener("pagehide", () => { if (link) stop(); });
