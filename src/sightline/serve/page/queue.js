// Work done in its order, so many pieces at once.

export class Queue {
  #waiting = [];
  #free;

  constructor(atOnce) {
    this.#free = atOnce;
  }

  add(task) {
    this.#waiting.push(task);
    this.#next();
  }

  #next() {
    if (!this.#free || !this.#waiting.length) return;
    this.#free--;
    const task = this.#waiting.shift();
    task().finally(() => {
      this.#free++;
      this.#next();
    });
  }
}
