// What is shown of a decision: one answer. The headline is the highest of the very bars that are
// drawn, so that the two cannot disagree; if the numbers are smoothed, it is with them.

export const SENSES = { audio: "Voice", text: "Words", video: "Face" };

const NOTHING = "nothing to decide from";

/** The answer of a decision of `/v1/stream`: label and probabilities, or why there is none. */
export function answerOf(decision) {
  const probabilities = decision.live.steady_probabilities;
  if (probabilities === null) {
    return { label: null, probabilities: null, reason: whyNone(decision) };
  }
  const label = Object.keys(probabilities).reduce((a, b) => (probabilities[b] > probabilities[a] ? b : a));
  const used = Object.keys(SENSES).filter((m) => decision.modalities[m].present);
  const from = new Intl.ListFormat("en").format(used.map((m) => SENSES[m].toLowerCase()));
  const reason = decision.abstained
    ? "From a moment ago. At present: " + whyNone(decision)
    : "From " + from + ", over the last seconds.";
  return { label, probabilities, reason };
}

/** What one sense says: whether it counts, and how far it leans for or against what is shown. */
export function senseOf(decision, modality, label) {
  const report = decision.modalities[modality];
  if (!report.present) {
    return { present: false, lean: 0, word: "not used", detail: sentence(report.reason) };
  }
  const probabilities = decision.probabilities;
  const newest = Object.keys(probabilities).reduce((a, b) => (probabilities[b] > probabilities[a] ? b : a));
  const detail = report.notes.map(sentence).join(" ");
  // The lean is about the newest moment's likeliest label: it says nothing of another that is shown.
  if (label === null || newest !== label || report.contribution === null) {
    return { present: true, lean: 0, word: "used", detail };
  }
  const lean = Math.max(-1, Math.min(1, report.contribution / 3));
  const word = Math.abs(lean) < 0.05 ? "neither way" : (lean > 0 ? "for " : "against ") + label;
  return { present: true, lean, word, detail };
}

function whyNone(decision) {
  const reason = decision.abstain_reason || "";
  return reason.includes(NOTHING) ? "Nobody is heard or seen clearly enough." : sentence(reason);
}

function sentence(text) {
  return text ? text[0].toUpperCase() + text.slice(1) + "." : "";
}
