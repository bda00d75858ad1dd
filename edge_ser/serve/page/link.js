// The WebSocket to `/v1/stream`: begins, sends, and connects again when it was lost.

const SOUND = 65;
const PICTURE = 86;
const HEAD = 9;
const FULL = 1 << 20; // bytes that may wait before pictures are left out
const BUSY = 1013;
const LONGEST_PAUSE = 10_000;

export class Link {
  /** `on` has ready(message), decision(message), state(text, lost). */
  constructor(sampleRate, on) {
    this.sampleRate = sampleRate;
    this.on = on;
    this.pause = 500;
    this.connect();
  }

  connect() {
    // A token stands behind the #, which no browser sends or logs: http://localhost:8080/#token=...
    const token = new URLSearchParams(location.hash.slice(1)).get("token");
    const protocols = token ? ["edge-ser", "edge-ser.token." + token] : ["edge-ser"];
    const scheme = location.protocol === "https:" ? "wss://" : "ws://";
    this.socket = new WebSocket(scheme + location.host + "/v1/stream", protocols);
    this.socket.binaryType = "arraybuffer";
    this.ready = false;
    this.socket.onopen = () => this.socket.send(JSON.stringify({ type: "start", consent: true, sample_rate: this.sampleRate, smoothing: "strong" }));
    this.socket.onmessage = ({ data }) => this.take(JSON.parse(data));
    this.socket.onclose = ({ code }) => this.lost(code);
    this.on.state("connecting", false);
  }

  take(message) {
    if (message.type === "ready") {
      this.ready = true;
      this.pause = 500;
      this.on.ready(message);
    } else if (message.type === "decision") {
      this.on.decision(message);
    } else if (message.type === "error" || message.type === "end") {
      console.warn("edge-ser:", message.reason || message.message);
    }
  }

  lost(code) {
    this.ready = false;
    if (this.closed) return;
    const why = code === BUSY ? "All places are taken" : "No connection to the server";
    this.on.state(`${why}; trying again`, true);
    this.retry = setTimeout(() => this.connect(), this.pause);
    this.pause = Math.min(2 * this.pause, LONGEST_PAUSE);
  }

  sound(time, samples) {
    if (this.waiting < 4 * FULL) this.send(SOUND, time, new Uint8Array(samples.buffer));
  }

  picture(time, jpeg) {
    if (this.waiting < FULL) this.send(PICTURE, time, new Uint8Array(jpeg));
  }

  get waiting() {
    return this.socket.bufferedAmount;
  }

  send(kind, time, content) {
    if (!this.ready) return;
    const message = new Uint8Array(HEAD + content.length);
    const head = new DataView(message.buffer);
    head.setUint8(0, kind);
    head.setBigInt64(1, BigInt(time), true);
    message.set(content, HEAD);
    this.socket.send(message);
  }

  close() {
    this.closed = true;
    clearTimeout(this.retry);
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send('{"type": "end"}');
    this.socket.close(1000);
  }
}
