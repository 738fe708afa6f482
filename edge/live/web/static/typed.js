// What is being typed, shown over the karyogram until Enter: a label, 1 to 22, X or Y, or something that is no label. That
// is kept, too: who types 23, which is X in other systems, means neither 2 nor 3.

export const typed = {
  text: "",
  get label() {
    return /^([1-9]|1[0-9]|2[0-2]|X|Y)$/.test(this.text) ? this.text : "";
  },
  add(key) {
    const goesOn = /^[0-9]$/.test(this.text) && /[0-9]/.test(key);
    this.show((goesOn ? this.text : "") + key.toUpperCase());
  },
  clear() {
    this.show("");
  },
  show(text) {
    this.text = text;
    document.getElementById("typed").textContent = text ? `→ ${text} ${this.label ? "⏎" : "?"}` : "";
  },
};
