// What is asked of the board, one request after another, each based on the answer before.

const SLOW_MS = 1500;

export class Queue {
  // `say` shows a line; `onRefused` is given what went wrong.
  constructor(say, onRefused) {
    this.say = say;
    this.onRefused = onRefused;
    this.last = Promise.resolve();
    this.dropped = 0; // how often the board was silent
    this.unsaved = 0;
    addEventListener("beforeunload", (event) => this.unsaved && event.preventDefault());
  }

  // Nobody knows what a silent board did. What waits then is dropped: it was meant for a state that nobody has seen.
  ask(work, meanwhile = "Waiting for the board") {
    const turn = this.dropped;
    this.last = this.last.then(() => turn === this.dropped && this.done(work, meanwhile)).catch((error) => {
      if (error.silent) {
        this.dropped += 1;
        const lost = this.unsaved - 1;
        if (lost) error.message += `; ${lost} ${lost === 1 ? "change" : "changes"} after it ${lost === 1 ? "was" : "were"} not sent`;
      }
      return this.onRefused(error);
    });
    return this.last;
  }

  // The same for changes, which would be lost if the page were closed.
  save(work, meanwhile) {
    this.unsaved += 1;
    return this.ask(work, meanwhile).finally(() => (this.unsaved -= 1));
  }

  async done(work, meanwhile) {
    const slow = setTimeout(() => this.say(meanwhile), SLOW_MS);
    try {
      return await work();
    } finally {
      clearTimeout(slow);
      if (document.getElementById("said").textContent === meanwhile) this.say("");
    }
  }
}
