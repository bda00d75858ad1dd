// Microphone and camera of this browser: sound in 50 ms blocks, pictures as JPEG, both with the time
// at which they were captured, in 16 kHz samples of this page's clock.

const now = () => performance.now() * 16;
const NEAR = 640; // samples (40 ms): a smaller step is jitter of the delivery

export class Capture {
  constructor(video) {
    this.video = video;
    this.canvas = document.createElement("canvas");
  }

  /** Ask for both; do with one where the other is missing. Throws where there is neither. */
  async open() {
    if (!navigator.mediaDevices) {
      throw new Error("This browser gives camera and microphone only to https and to localhost.");
    }
    const sound = { echoCancellation: true, noiseSuppression: false, autoGainControl: true };
    const pictures = { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" };
    const wanted = [{ audio: sound, video: pictures }, { audio: sound }, { video: pictures }];
    let refused;
    for (const devices of wanted) {
      try {
        this.media = await navigator.mediaDevices.getUserMedia(devices);
        break;
      } catch (error) {
        refused = error;
      }
    }
    if (!this.media) {
      throw new Error(refused.name === "NotAllowedError"
        ? "The browser was told to give neither camera nor microphone. Allow one of them and try again."
        : "No microphone and no camera can be opened. Connect one and try again.");
    }
    this.context = new AudioContext();
    this.hasSound = this.media.getAudioTracks().length > 0;
    this.hasPictures = this.media.getVideoTracks().length > 0;
    if (this.hasSound) await this.openSound();
    if (this.hasPictures) {
      this.video.srcObject = this.media;
      await this.video.play();
    }
  }

  get sampleRate() {
    return this.context.sampleRate;
  }

  async openSound() {
    await this.context.audioWorklet.addModule("/page/worklet.js");
    await this.context.resume();
    const gatherer = new AudioWorkletNode(this.context, "gatherer", { numberOfOutputs: 0 });
    this.context.createMediaStreamSource(this.media).connect(gatherer);
    gatherer.port.onmessage = ({ data }) => this.heard(data);
  }

  /** Deliver to `sound(time, samples)` and `picture(time, jpeg)` from now on. */
  begin(sound, picture, picturesPerSecond) {
    this.sound = sound;
    this.end = null;
    clearInterval(this.timer);
    if (this.hasPictures) this.timer = setInterval(() => this.see(picture), 1000 / picturesPerSecond);
  }

  heard(samples) {
    if (!this.context) return;
    const length = (samples.length * 16000) / this.sampleRate;
    const arrived = now() - length;
    // Blocks follow on from each other; their delivery jitters, and the two clocks drift apart.
    const expected = this.end ?? arrived;
    const off = arrived - expected;
    const start = Math.abs(off) < NEAR ? expected + off / 50 : arrived;
    this.end = start + length;
    if (this.sound) this.sound(Math.round(start), samples);
  }

  see(picture) {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width || this.encoding) return;
    this.canvas.width = width;
    this.canvas.height = height;
    const time = Math.round(now());
    this.canvas.getContext("2d").drawImage(this.video, 0, 0);
    this.encoding = true;
    this.canvas.toBlob(async (blob) => {
      this.encoding = false;
      const jpeg = await blob?.arrayBuffer();
      if (jpeg && this.media) picture(time, jpeg);
    }, "image/jpeg", 0.85);
  }

  close() {
    clearInterval(this.timer);
    this.sound = null;
    this.media?.getTracks().forEach((track) => track.stop());
    this.media = null;
    this.video.srcObject = null;
    this.context?.close();
    this.context = null;
  }
}
