"use strict";
// The answers of one participant: what is asked next, and the CSV of what was answered. No page is needed for it.

const HEADER = ["participant", "clip", "question", "choice", "seconds"];

/** Clips in an order of the participant's own, the same whenever the same participant comes back. */
function orderFor(participant, count) {
  let state = 2166136261;
  for (const letter of participant) state = Math.imul(state ^ letter.codePointAt(0), 16777619) >>> 0;
  const order = [...Array(count).keys()];
  for (let last = count - 1; last > 0; last--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const other = Math.floor((state / 4294967296) * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}

/** A cell of a CSV file; a spreadsheet must not take it for a formula. */
function cell(value) {
  const text = String(value).replace(/^[=+\-@]/, "'$&");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** answers: [{clip, choices: {question: 1...}, seconds}] as CSV. */
function csvOf(participant, answers) {
  const rows = answers.flatMap((answer) =>
    Object.entries(answer.choices).map(([question, choice]) => [
      participant, answer.clip, question, choice, answer.seconds,
    ]),
  );
  return [HEADER, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

if (typeof module !== "undefined") module.exports = { orderFor, csvOf };
